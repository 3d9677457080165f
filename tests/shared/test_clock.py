"""The timeline, whatever the clocks say."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as some

from folkmoot.clock import EARLIEST, LONGEST_GAP, Mark, Timeline, gap, monotonic_ms, wall_ms

HOUR = 3_600_000
YEAR = 365 * 24 * HOUR
NOON = EARLIEST + 100 * 24 * HOUR
ANY = some.integers(0, 4_000_000_000_000)


@dataclass
class Clock:
    """A clock that a test sets."""

    ms: int

    def __call__(self) -> int:
        return self.ms


def after(last: Mark, wall: int) -> int:
    """Gives where a timeline goes on when the wall clock says `wall` after a restart."""
    return Timeline(last, Clock(0), Clock(wall)).now()


def test_it_runs_with_the_monotonic_clock_alone() -> None:
    monotonic, wall = Clock(50), Clock(NOON)
    timeline = Timeline(None, monotonic, wall)
    assert timeline.now() == 0
    monotonic.ms += 700
    wall.ms -= YEAR  # somebody sets the clock
    assert timeline.now() == 700


def test_after_a_restart_it_goes_on_by_as_much_as_the_machine_was_off() -> None:
    assert after(Mark(5_000, NOON), NOON + HOUR) == 5_000 + HOUR


def test_a_clock_that_is_not_believed_adds_nothing() -> None:
    last = Mark(5_000, NOON)
    assert after(last, 90_000) == 5_000  # 1970, and a minute and a half of uptime
    assert after(last, NOON - HOUR) == 5_000  # backwards
    assert after(last, NOON + YEAR) == 5_000  # next year
    assert after(Mark(5_000, 90_000), NOON) == 5_000  # it was 1970 before, and is right now
    assert after(Mark(5_000, 90_000), 120_000) == 5_000  # it was 1970 and is 1970


@given(ANY, ANY)
def test_a_gap_is_never_negative_and_never_beyond_belief(then: int, now: int) -> None:
    assert 0 <= gap(then, now) <= LONGEST_GAP
    assert gap(then, now) in (0, now - then)


@given(some.lists(some.tuples(some.booleans(), ANY, ANY), max_size=20))
def test_no_run_of_restarts_and_clocks_makes_it_go_back(steps: list[tuple[bool, int, int]]) -> None:
    monotonic, wall = Clock(0), Clock(NOON)
    timeline = Timeline(None, monotonic, wall)
    latest = mark = timeline.mark()
    for restart, monotonic.ms, wall.ms in steps:
        if restart:
            timeline = Timeline(mark, monotonic, wall)
        mark = timeline.mark()
        assert mark.now >= latest.now
        latest = mark


def test_the_machines_own_clocks_are_in_milliseconds() -> None:
    timeline = Timeline()
    start = monotonic_ms()
    assert 0 <= timeline.now() <= 60_000
    assert 0 <= monotonic_ms() - start <= 60_000
    assert wall_ms() > EARLIEST
