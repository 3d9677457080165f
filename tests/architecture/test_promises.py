"""Every promise that docs/reliability.md makes names tests, and those tests are there."""

import re

from tests.architecture.conftest import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"


def rows() -> list[list[str]]:
    """Gives the cells of every promise."""
    section = DOCUMENT.read_text("utf-8").partition("## The promises")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| ---"))]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_promise_says_what_it_relies_on_and_names_tests() -> None:
    assert len(rows()) >= 10
    for promise, relies, tests in rows():
        assert promise
        assert relies
        assert re.fullmatch(r"`[^`]+`(, `[^`]+`)*", tests.strip()), tests


def test_every_test_that_a_promise_names_is_there() -> None:
    for _, _, tests in rows():
        for path in re.findall(r"`([^`]+)`", tests):
            assert "def test_" in (ROOT / path).read_text("utf-8"), path
