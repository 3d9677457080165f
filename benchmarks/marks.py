"""The pace of rounds: start-up and seconds a round, told apart in one way for everybody. Standard library alone."""

import os
import time
from pathlib import Path
from statistics import median


def age() -> float:
    """Gives the seconds since this process was started, its interpreter's start and imports included. Linux."""
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]  # in ticks since boot; proc(5) counts it as 22
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / os.sysconf("SC_CLK_TCK")


class Marks:
    """When rounds were over."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, float]] = []

    def __len__(self) -> int:
        return len(self._marks)

    def mark(self, rounds: int) -> None:
        """Notes that so many rounds are over now."""
        self._marks.append((rounds, age()))

    @property
    def span(self) -> float:
        """The seconds from the first mark to the last one."""
        return self._marks[-1][1] - self._marks[0][1] if self._marks else 0.0

    def figures(self, clients: int) -> dict[str, float]:
        """Gives `round_s`, `start_s` and `clients_per_s` of rounds with so many clients. Raises ValueError below two marks."""
        seconds, start = line(self._marks)
        return {"round_s": seconds, "start_s": start, "clients_per_s": clients / seconds, "rounds": self._marks[-1][0]}


def line(points: list[tuple[int, float]]) -> tuple[float, float]:
    """Gives slope and intercept of a line through points of different x, as Theil (1950) and Sen (1968) lay it.

    The slope is the median over all pairs of points, so that a first round which takes longer belongs to the start, and a round
    during which the machine had something else to do to nothing. Raises ValueError below two points.
    """
    slopes = [(y - b) / (x - a) for number, (a, b) in enumerate(points) for x, y in points[number + 1 :]]
    if not slopes:
        raise ValueError(f"a line goes through two points at least: there are {len(points)}")
    slope = median(slopes)
    return slope, median(y - slope * x for x, y in points)
