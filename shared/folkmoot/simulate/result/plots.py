"""Every picture of a report, in its order: a function from results to a figure, and what is said beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from folkmoot.simulate.result import answers, curves, gantt, traffic
from folkmoot.simulate.result.curves import BYTES, JOULES, ROUNDS, SECONDS
from folkmoot.simulate.result.tables import Result


def _silent(results: Sequence[Result]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture."""

    title: str
    draw: Callable[[Sequence[Result]], Figure | None]  # None: there is nothing to draw
    tell: Callable[[Sequence[Result]], str]  # what it shows, in words
    absent: str  # what is said in place of it
    note: Callable[[Sequence[Result]], str] = _silent  # what stands below it


_BLIND = "No round has an accuracy"
PLOTS = (
    Plot(
        "Accuracy against time",
        curves.accuracy_by_seconds,
        partial(curves.tell, measure="accuracy", cost=SECONDS),
        f"{_BLIND}.",
    ),
    Plot(
        "Accuracy against rounds",
        curves.accuracy_by_rounds,
        partial(curves.tell, measure="accuracy", cost=ROUNDS),
        f"{_BLIND}.",
    ),
    Plot(
        "Accuracy against bytes",
        curves.accuracy_by_bytes,
        partial(curves.tell, measure="accuracy", cost=BYTES),
        f"{_BLIND}, or no bytes were counted.",
    ),
    Plot(
        "Accuracy against energy",
        curves.accuracy_by_joules,
        partial(curves.tell, measure="accuracy", cost=JOULES),
        f"{_BLIND}, or no energy was counted.",
    ),
    Plot(
        "Loss against time",
        curves.loss_by_seconds,
        partial(curves.tell, measure="loss", cost=SECONDS),
        "No round has a loss.",
    ),
    Plot(
        "Participation",
        answers.participation,
        answers.tell_participation,
        "No device is on record.",
        answers.fairness,
    ),
    Plot(
        "What became of the devices asked",
        answers.fates,
        answers.tell_fates,
        "No device was asked in any round.",
        answers.others,
    ),
    Plot(
        "Bytes of each round by hop",
        traffic.bytes_by_hop,
        traffic.tell,
        "No bytes were counted.",
    ),
    Plot(
        "One round in time",
        gantt.gantt,
        gantt.tell,
        "No round has a device whose asking is on record.",
        gantt.note,
    ),
)
