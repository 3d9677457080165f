"""A report is one page that holds all it shows, and whatever a name holds stays a name."""

import base64
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from folkmoot.errors import UserFault
from folkmoot.simulate.result import report
from folkmoot.simulate.result.plots import PLOTS
from tests.shared.simulate.result import made

ONE = made.lifelike(devices=30, homes=3, rounds=6)
TWO = made.lifelike("morning", 2, devices=12, homes=2, rounds=4)
VOID = {"meta", "img"}


class Page(HTMLParser):
    """A page as a browser reads it: its elements, their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == [], "an element was not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        """Gives the values of an attribute, of whatever element."""
        return [value for _, found, value in self.attributes if found == name]


def test_a_report_holds_every_picture_with_its_words() -> None:
    page = Page(report.render([ONE]))
    assert page.tags["img"] == page.tags["section"] == len(PLOTS)
    for plot in PLOTS:
        assert plot.title in page.text
        assert plot.tell([ONE]) in page.values("alt")
        assert plot.note([ONE]) in page.text
    for source in page.values("src"):
        picture = base64.b64decode(source.removeprefix("data:image/svg+xml;base64,"), validate=True)
        assert picture.rstrip().endswith(b"</svg>")


def test_a_report_holds_the_key_figures_the_facts_and_the_rounds() -> None:
    page = Page(report.render([ONE]))
    last = ONE.rounds[-1]
    for text in (
        "evening",
        "1,234,567",
        f"{last.accuracy:.4f}",
        "wall seconds",
        "time to 80 %",
        "time to 90 %",
        "never merged",
    ):
        assert text in page.text
    assert "Jain" in page.text
    assert page.tags["tr"] > len(ONE.rounds) + len(ONE.facts)


def test_a_report_of_several_has_a_column_and_the_rounds_of_each() -> None:
    page = Page(report.render([ONE, TWO]))
    assert "2 simulated runs: evening, morning" in page.text
    assert page.tags["details"] == 2
    assert page.tags["img"] == len(PLOTS)
    assert "The rounds of evening, in numbers" in page.text
    assert "The rounds of morning, in numbers" in page.text


def test_a_report_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    html = report.render([ONE, TWO])
    page = Page(html)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.values("src"))
    assert page.values("href") == []
    assert set(page.tags) & {"script", "link", "iframe", "object", "svg"} == set()
    assert not re.search(r"https?://|url\(|@import", html)
    assert "default-src 'none'" in html


def test_whatever_a_name_holds_is_text() -> None:
    name = "<script>alert('1')</script>\"&amp;$title${x}\0\ud800"
    fate = msgspec.structs.replace(ONE.members[0], fate=name, device=name)
    first = msgspec.structs.replace(ONE.rounds[0], outcome=name, reason=name)
    result = msgspec.structs.replace(
        ONE, name=name, facts={name: name}, members=[fate, *ONE.members[1:]], rounds=[first, *ONE.rounds[1:]]
    )
    html = report.render([result])
    page = Page(html)
    html.encode("utf-8")
    assert page.tags["script"] == 0
    assert "\0" not in html
    assert "<script>alert('1')</script>\"&amp;$title${x}\N{REPLACEMENT CHARACTER}" in page.text
    assert page.tags["img"] == len(PLOTS)


def test_equal_results_give_equal_pages() -> None:
    assert report.render([ONE, TWO]) == report.render([made.lifelike(devices=30, homes=3, rounds=6), TWO])


def test_what_was_not_measured_is_left_out_with_a_sentence() -> None:
    page = Page(report.render([made.EMPTY]))
    assert page.tags["img"] == 0
    for plot in PLOTS:
        assert f"Not drawn: {plot.absent}" in page.text
    blind = msgspec.structs.replace(ONE, rounds=[msgspec.structs.replace(one, accuracy=None) for one in ONE.rounds])
    page = Page(report.render([blind]))
    assert page.tags["img"] == len(PLOTS) - 4
    assert page.text.count("Not drawn: No round has an accuracy") == 4


def test_seconds_are_told_in_hours_where_there_are_many() -> None:
    for closed, told in ((7.25, "<td>7.2 s</td>"), (125.0, "125.0 s (2 min 5 s)"), (7325.0, "7,325.0 s (2 h 2 min)")):
        late = msgspec.structs.replace(ONE.rounds[0], closed_s=closed, accuracy=None, loss=None)
        assert told in report.render([msgspec.structs.replace(made.EMPTY, rounds=[late])])


def test_a_report_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "made" / "report.html"
    for result in (made.EMPTY, msgspec.structs.replace(made.EMPTY, name="é")):
        report.write([result], path)
        assert path.read_text("utf-8") == report.render([result])
    assert [found.name for found in path.parent.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserFault, match=r"report\.html cannot be written: [^\n]+$"):
        report.write([made.EMPTY], tmp_path / "file" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserFault, match=r"folder cannot be written: Is a directory$"):
        report.write([made.EMPTY], tmp_path / "folder")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "folder"]


def test_a_report_of_nothing_is_refused() -> None:
    with pytest.raises(UserFault, match="a report needs a result"):
        report.render([])


def test_without_matplotlib_a_report_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("folkmoot.simulate.result.plots")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("answers", "curves", "gantt", "style", "traffic"):
        monkeypatch.delitem(sys.modules, f"folkmoot.simulate.result.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for act in (report.check, lambda: report.render([ONE])):
        with pytest.raises(UserFault, match=r"a report needs matplotlib \([^\n]+\): pip install 'folkmoot\[simulate\]'$"):
            act()
