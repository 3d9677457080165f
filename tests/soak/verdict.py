"""Whether what was measured has levelled off."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from tests.soak.gauges import Gauge

WARM = 0.25  # part of a life in which imports, caches and the allocator reach their size
LONG = 0.5  # part of the soak that a life must last for to be judged
FEW = 8  # looks, below which there is no slope


@dataclass(frozen=True)
class Life:
    """One process from start to end, or to the end of the soak, without what warms it up."""

    name: str
    judged: tuple[Gauge, ...]

    @property
    def seconds(self) -> float:
        """How long it is judged for."""
        return self.judged[-1].at - self.judged[0].at

    @property
    def slope(self) -> float:
        """MiB of resident memory per hour, as Theil and Sen have it: outliers are nothing to it."""
        return 3_600 * slope([(one.at, one.resident) for one in self.judged])

    @property
    def growth(self) -> float:
        """MiB by which the slope makes it grow in the time that is judged."""
        return self.slope * self.seconds / 3_600

    def thirds(self, field: str) -> tuple[float, float]:
        """Gives a gauge's median in the first and in the last third."""
        values = [float(getattr(one, field)) for one in self.judged]
        third = len(values) // 3
        return median(values[:third]), median(values[-third:])

    def complaints(self, growth: float, more: int = 0) -> list[str]:
        """Gives what has not levelled off, in sentences.

        `growth`: MiB that it may grow by; `more`: files, sockets or threads that it may have more of in the end.
        """
        found = []
        if self.growth > growth:
            found.append(
                f"{self.name} grows by {self.growth:.1f} MiB in {self.seconds / 60:.1f} minutes; {growth:g} are allowed"
            )
        for field in ("files", "sockets", "threads"):
            first, last = self.thirds(field)
            if last > first + more:
                found.append(f"{self.name} has {last:g} {field}, and had {first:g}")
        return found


def lives(name: str, looks: Sequence[tuple[int, Gauge]], seconds: float) -> list[Life]:
    """Gives the lives of a process that lasted long enough to be judged. `looks`: by process id, in order."""
    found = []
    for pid in dict.fromkeys(pid for pid, _ in looks):
        gauges = [gauge for of, gauge in looks if of == pid]
        lasted = gauges[-1].at - gauges[0].at
        judged = tuple(gauge for gauge in gauges if gauge.at >= gauges[0].at + WARM * lasted)
        if lasted >= LONG * seconds and len(judged) >= FEW:
            found.append(Life(name, judged))
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Gives the median of the slopes between every two points, which are in order."""
    return median((later[1] - sooner[1]) / (later[0] - sooner[0]) for sooner, later in combinations(points, 2))
