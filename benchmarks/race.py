"""What is measured side by side, what each row of the table takes from it, and how a row is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.results import OURS, Result


@dataclass(frozen=True, slots=True)
class Race:
    """What is measured in one go: our modules and the peers' scripts, by turns."""

    name: str
    title: str
    how: str  # what is done on every side
    ours: tuple[str, ...]  # modules of this folder with their arguments, one after another: their figures are one set
    peers: Mapping[str, str]  # peer to the module in its folder, with its arguments
    seconds: float  # after which a side has failed
    turns: int = 3
    long: bool = False  # runs only when it is named, or with --long
    bundle: str = ""  # of benchmarks/drafts.py, compiled beforehand


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to be: at most so much, or at least where more is better; `of` a peer's, so many times better."""

    value: float
    of: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a race."""

    what: str
    race: str
    figure: str  # as all sides print it
    unit: str
    target: Target | None = None
    more: bool = False  # more is better

    def times(self, ours: float, theirs: float) -> float:
        """Gives how many times better ours is than another's figure."""
        better, worse = (ours, theirs) if self.more else (theirs, ours)
        return better / worse if worse else float("inf")


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure of one side, over all turns."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Gives median, least and most."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with what was measured."""

    row: Row
    sides: Mapping[str, Spread]  # of those that have the figure
    times: Mapping[str, float]  # peer to how many times better ours is: the median over turns
    failed: Mapping[str, str]  # side to what went wrong, where it gave nothing in any turn
    session: Sequence[Result]  # what it was judged by

    @property
    def held(self) -> bool | None:
        """Whether the target is reached; None where there is no target, or nothing to judge by."""
        target, ours = self.row.target, self.sides.get(OURS)
        if target is None or ours is None:
            return None
        if target.of:
            return self.times[target.of] >= target.value if target.of in self.times else None
        return ours.middle >= target.value if self.row.more else ours.middle <= target.value

    @property
    def lost_to(self) -> list[str]:
        """The peers that are better."""
        return [peer for peer, times in self.times.items() if times < 1]


def judge(row: Row, session: Sequence[Result]) -> Judged:
    """Judges a row by the results of one session of its race; there may be none."""
    values: dict[str, dict[int, float]] = {}
    failed: dict[str, str] = {}
    for result in session:
        if result.failed:
            failed[result.side] = result.failed
        elif row.figure in result.figures:
            values.setdefault(result.side, {})[result.turn] = result.figures[row.figure]
    ours = values.get(OURS, {})
    times = {
        side: median(row.times(ours[turn], theirs[turn]) for turn in ours.keys() & theirs.keys())
        for side, theirs in values.items()
        if side != OURS and ours.keys() & theirs.keys()
    }
    sides = {side: Spread.of(list(found.values())) for side, found in values.items()}
    return Judged(row, sides, times, {side: why for side, why in failed.items() if side not in values}, session)
