"""Curves of a run: what the model had learnt, against what it had taken by then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from folkmoot.simulate.result.names import LEGEND, labels, shown
from folkmoot.simulate.result.style import WIDTH, count, pen, styled
from folkmoot.simulate.result.tables import Result

Measure = Literal["accuracy", "loss"]
_MARKED = 40  # points up to which each is marked: beyond, the marks are a thick line


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run takes as it goes on."""

    label: str  # of the axis
    told: str  # in a sentence, as a format
    by: Callable[[Result], list[float]]  # what had been taken when each round closed
    whole: bool = False  # its ticks are
    counted: bool = False  # may be nothing at all, and is then no axis


SECONDS = Cost("simulated time (s)", "{:,.6g} s", lambda result: [one.closed_s for one in result.rounds])
ROUNDS = Cost("round", "round {:,.0f}", lambda result: [float(one.number) for one in result.rounds], whole=True)
BYTES = Cost(
    "bytes on all hops, both ways (MB)", "{:,.6g} MB", lambda result: list(accumulate(one.bytes / 1e6 for one in result.rounds))
)
JOULES = Cost(
    "energy of the devices (J)", "{:,.6g} J", lambda result: list(accumulate(one.joules for one in result.rounds)), counted=True
)

Points = list[tuple[float, float]]


def points(result: Result, measure: Measure, cost: Cost) -> Points:
    """Gives (taken, measured) for each round with a measurement; nothing where the run took none of it."""
    values: list[float | None] = [getattr(one, measure) for one in result.rounds]
    found = [(taken, value) for taken, value in zip(cost.by(result), values, strict=True) if value is not None]
    return [] if cost.counted and not any(taken for taken, _ in found) else found


@styled
def curve(results: Sequence[Result], *, measure: Measure, cost: Cost) -> Figure | None:
    """Draws a line for each result that has points, with a legend where there are several; None where none has any."""
    lines = [points(result, measure, cost) for result in results]
    if not any(lines):
        return None
    figure = Figure(figsize=(WIDTH, 3.9))
    axes = figure.subplots()
    drawn: list[Line2D] = []
    names: list[str] = []
    for place, (line, label) in enumerate(zip(lines, labels(results), strict=True)):
        if line:
            taken, values = zip(*line, strict=True)
            mark = "o" if len(line) <= _MARKED else ""
            drawn += axes.plot(taken, values, marker=mark, markersize=3, **pen(place))
            names.append(shown(label, LEGEND))
    _scale(axes, measure, cost, [value for line in lines for _, value in line])
    if len(results) > 1:
        axes.legend(drawn, names, loc="best")
    return figure


def _scale(axes: Axes, measure: Measure, cost: Cost, values: list[float]) -> None:
    """Labels both axes; accuracy is shown from 0 to 1, so that a small gain looks small."""
    axes.set_xlabel(cost.label)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if cost.whole:
        count(axes, across=cost.label)
    axes.set_ylabel(measure)
    if measure == "accuracy" and all(0 <= value <= 1 for value in values):
        axes.set_ylim(0, 1.02)


def tell(results: Sequence[Result], *, measure: Measure, cost: Cost) -> str:
    """Gives in words what the curves show: where each begins and ends."""
    told = []
    for result, label in zip(results, labels(results), strict=True):
        line = points(result, measure, cost)
        if line:
            (first, low), (last, high) = line[0], line[-1]
            told.append(f"{label}: from {low:.4g} at {cost.told.format(first)} to {high:.4g} at {cost.told.format(last)}")
        else:
            told.append(f"{label}: not measured")
    return f"Line chart of {measure} against {cost.label}. {'; '.join(told)}."


accuracy_by_seconds = partial(curve, measure="accuracy", cost=SECONDS)
accuracy_by_rounds = partial(curve, measure="accuracy", cost=ROUNDS)
accuracy_by_bytes = partial(curve, measure="accuracy", cost=BYTES)
accuracy_by_joules = partial(curve, measure="accuracy", cost=JOULES)
loss_by_seconds = partial(curve, measure="loss", cost=SECONDS)
