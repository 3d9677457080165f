"""A supervisor can ask whether the links of a node stand."""

from pathlib import Path

from folkmoot.serve.health import Health, missing


def test_where_no_node_has_been_nothing_is_well(tmp_path: Path) -> None:
    assert missing(tmp_path) == [f"no node keeps anything in {tmp_path}"]


def test_a_node_is_well_when_all_its_links_stand(tmp_path: Path) -> None:
    health = Health(tmp_path)
    health.note("up", False)
    health.note("down", True)
    assert missing(tmp_path) == [f"{tmp_path}: the link up is down"]
    health.note("up", True)
    assert missing(tmp_path) == []


def test_of_many_nodes_the_one_that_is_not_well_is_named(tmp_path: Path) -> None:
    for name, standing in (("a", True), ("b", False)):
        (tmp_path / name).mkdir()
        Health(tmp_path / name).note("up", standing)
    assert missing(tmp_path) == [f"{tmp_path / 'b'}: the link up is down"]


def test_the_file_is_written_when_something_changes_and_at_no_other_time(tmp_path: Path) -> None:
    health = Health(tmp_path)
    health.note("up", True)
    (tmp_path / "links.json").unlink()
    health.note("up", True)
    assert not (tmp_path / "links.json").exists()


def test_where_nothing_can_be_stored_the_node_goes_on(tmp_path: Path) -> None:
    Health(tmp_path / "gone").note("up", True)
