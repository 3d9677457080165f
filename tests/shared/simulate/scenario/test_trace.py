"""What devices do over time, as a table says it."""

from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import UserFault
from folkmoot.simulate.scenario import trace
from folkmoot.simulate.scenario.trace import Course, Series, State

HEAD = "trace,seconds,connected,battery,charging,up_kbps,down_kbps\n"
HOUR = 3_600_000


def read(tmp_path: Path, text: str) -> tuple[Series, ...]:
    path = tmp_path / "phones.csv"
    path.write_text(text)
    return trace.read(path, 24)


def test_an_empty_cell_says_what_the_line_before_says_and_the_end_goes_over_into_the_beginning(tmp_path: Path) -> None:
    bea, ann = "bea,0,1,,,,\n", "ann,0,,80,0,2000,8000\nann,30000.5,0,,,,\nann,43200,1,35,1,,\n"
    (first, second) = read(tmp_path, HEAD + bea + ann)
    assert first == (
        State(0, True, 80, False, 2000, 8000),
        State(30_000_500, False, 80, False, 2000, 8000),
        State(43_200_000, True, 35, True, 2000, 8000),
    )
    assert second == (State(0, True),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trace,connected\na,1\n", "the column seconds is missing"),
        ("trace,seconds,mood\na,0,1\n", "unknown column 'mood'; known here are trace, seconds, connected"),
        ("trace,seconds,battery,battery\na,0,1,1\n", "a column is there twice"),
        ("trace,seconds,connected\n", "has no traces"),
        ("trace,seconds,connected\na,5,1\n", "line 2: trace a begins at 5 s: give it a line at 0"),
        ("trace,seconds,connected\na,0,1\na,9,0\na,8,1\n", "line 4: 8 s of trace a come after 9 s: sort its lines by time"),
        ("trace,seconds,connected\na,0,1\na,86400,0\n", "line 3: trace a goes on after 24 hours, when it begins anew"),
        ("trace,seconds,connected\na,,1\n", "line 2: seconds is empty"),
        ("trace,seconds,connected\na,0,yes\n", "line 2: connected is 'yes': expected 0 or 1"),
        ("trace,seconds,battery\na,0,101\n", "battery is '101': expected a number from 0 to 100"),
        ("trace,seconds,up_kbps\na,0,0\n", "up_kbps is '0': expected a number above 0"),
        ("trace,seconds,up_kbps\na,0,inf\n", "up_kbps is 'inf': expected a number above 0"),
        ("trace,seconds,battery\na,nan,1\n", "seconds is 'nan': expected a number of at least 0"),
        ("trace,seconds,connected\na,0,1,7\n", "line 2: there are more cells than columns"),
        ("trace,seconds,connected\na,0,0\n", "trace a is never connected: leave it out"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserFault) as fault:
        read(tmp_path, text)
    assert says in str(fault.value)
    assert str(fault.value).startswith(str(tmp_path / "phones.csv"))
    assert "\n" not in str(fault.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="does not exist"):
        trace.read(tmp_path / "none.csv", 24)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserFault, match="it is not UTF-8"):
        trace.read(tmp_path / "bytes.csv", 24)
    with pytest.raises(UserFault, match="cannot be read: is a directory"):
        trace.read(tmp_path, 24)


@st.composite
def courses(draw: st.DrawFn) -> tuple[Series, int, int]:
    times = sorted(draw(st.sets(st.integers(1, 99), max_size=5)))
    connected = draw(st.lists(st.booleans(), min_size=len(times) + 1, max_size=len(times) + 1).filter(any))
    return tuple(State(at, on) for at, on in zip([0, *times], connected, strict=True)), 100, draw(st.integers(0, 99))


def at(series: Series, period: int, moment: int) -> bool | None:
    """Gives whether a trace is connected at a moment of its own."""
    return [state for state in series if state.ms <= moment % period][-1].connected


@given(courses())
def test_a_device_lives_its_trace_from_its_own_moment_on_over_and_over(course: tuple[Series, int, int]) -> None:
    series, period, start = course
    states = list(islice(Course(series, period, start).states(), 30))
    assert states[0][0] == 0
    for (begins, state), (ends, _) in pairwise(states):
        assert begins < ends
        assert state.connected == at(series, period, start + begins) == at(series, period, start + ends - 1)
    gone = [now for begins, ends in islice(Course(series, period, start).absences(), 10) for now in range(begins, ends)]
    expected = [now for now in range(max(gone, default=0)) if not at(series, period, start + now)]
    assert gone[: len(expected)] == expected
