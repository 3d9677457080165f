"""The document says what the results say."""

from benchmarks import document, pictures, results
from tests.benchmarks.made_up import result

FOUND = {
    "fold": [
        result("fold", figures={"judged_us": 50.0, "judged_gb_s": 1.2, "kept_models": 4.0}),
        result("fold", "flower", figures={"judged_us": 1000.0, "judged_gb_s": 2.4, "kept_models": 1000.0}, version="flwr 1"),
    ],
    "round": [result("round", figures={"round_ms": 1234.5}), result("round", "flower", failed="one\nnot over after 9 s")],
    "wire": [result("wire", failed="no broker")],
}


def section(title: str) -> str:
    """Gives what stands below a heading."""
    return document.text(FOUND).partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_document_is_what_the_results_make() -> None:
    text = document.FILE.read_text("utf-8")
    assert document.written(text, document.sessions(results.read())) == text, "run `python -m benchmarks --write`"


def test_what_is_worse_than_a_peer_or_misses_its_aim_is_a_loss_and_the_rest_is_none() -> None:
    lost = section("What we lose").strip().splitlines()
    assert lost == [
        "- a round of 10 devices: median, 1,234 ms; the aim is at most 60 ms.",
        "- aggregation: the same, checked, 1.2 GB/s; Flower has 2.4 GB/s, 2 times better.",
        "- aggregation: memory of 1,000 updates of 100,000 parameters, in models, 4; the aim is at most 3.",
    ]
    won = section("What we win").strip().splitlines()
    assert won[0] == "- aggregation: an update of 10,000 parameters in 10 tensors, checked, 20 times Flower."
    assert len(won) == 2


def test_what_failed_and_what_was_never_measured_is_said() -> None:
    missing = section("What is not measured")
    assert "- on the wire in a round: bytes up, lossless (failed); bytes down (failed)" in missing
    assert "- 10,000 simulated devices in 500 homes: 10 rounds;" in missing
    assert "failed: not over after 9 s" in document.text(FOUND)


def test_a_row_of_the_table() -> None:
    rows = {line.split("|")[1].strip(): line for line in section("The table").splitlines() if line.startswith("|")}
    assert rows["an update of 10,000 parameters in 10 tensors, checked"] == (
        "| an update of 10,000 parameters in 10 tensors, checked | 50 us | 1,000 us (20×) |  |  | at most 60 us | reached |"
    )
    assert rows["messages"].endswith("| at most 4 | **failed** |")
    assert "flwr 1" in section("When, on what, and how steady")


def test_there_is_a_picture_where_there_is_something_to_see() -> None:
    drawn = pictures.draw(FOUND)
    assert drawn.keys() == {"times.svg"}
    assert drawn == pictures.draw(FOUND)
    assert pictures.draw({}) == {}
