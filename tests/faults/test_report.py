"""The document says what the results say, and the results are of cells that there are."""

from tests.faults import report, results
from tests.faults.cells import CHOSEN, OTHER, PHASES, USUAL, all_cells
from tests.faults.faults import FAULTS
from tests.faults.results import Result


def test_the_document_is_what_the_results_make() -> None:
    document = report.DOCUMENT.read_text("utf-8")
    assert report.written(document, results.newest()) == document, "run `python -m tests.faults.report`"


def test_every_result_is_of_a_cell_and_says_why_where_it_failed() -> None:
    names = {cell.name for cell in all_cells()}
    for result in results.newest().values():
        assert result.cell in names
        assert result.survived or result.why


def test_a_cloud_that_was_killed_went_on_within_two_seconds_of_being_up_again() -> None:
    killed = [result for name, result in results.newest().items() if name.startswith("kill.") and ".cloud" in name]
    mosquitto = [result for result in killed if not result.cell.endswith(".amqtt")]  # amqtt alone takes four to be spoken to
    assert len(mosquitto) == 2 * len(PHASES)
    assert all(result.seconds is not None and result.seconds <= 2 for result in mosquitto)


def test_there_are_two_hundred_cells_and_every_fault_can_be_told() -> None:
    assert len({cell.name for cell in all_cells()}) == len(all_cells()) >= 200
    assert {cell.fault for cell in all_cells()} == set(FAULTS) == set(report.SAYS)


def test_what_a_table_says_of_a_cell() -> None:
    cells = [cell for cell in all_cells() if cell.fault == "kill" and cell.kind == "sqlite" and cell.node == "cloud"]
    found = {
        cell.name: Result(cell=cell.name, commit="c", survived=cell.phase != "idle", seconds=1.26, hit=cell.phase != "training")
        for cell in cells
    }
    row = next(line for line in report.table(found).splitlines() if line.startswith("| killed") and "| cloud |" in line)
    assert [part.strip() for part in row.split("|")[3:-1]] == ["**lost**", "1.3", "1.3*", "1.3", "1.3", "1.3"]
    assert report.table(found).startswith("5 of 6 cells survived")


def test_the_chosen_cells_are_spread_over_faults_phases_nodes_and_towns() -> None:
    chosen = [cell for cell in all_cells() if cell.name in CHOSEN]
    assert len(chosen) == len(CHOSEN) == 24
    assert {cell.phase for cell in chosen} == set(PHASES)
    assert {cell.fault for cell in chosen} == set(FAULTS) - {"pause"}  # a minute each: `make faults` has them
    assert {cell.kind for cell in chosen} == {"sqlite", *OTHER}
    assert {cell.node for cell in chosen} == {node for nodes in USUAL.values() for node in nodes}
