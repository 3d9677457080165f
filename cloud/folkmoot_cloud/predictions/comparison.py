"""A prediction beside what came of it."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from folkmoot_cloud.predictions.repository import Taken
from folkmoot_cloud.predictions.schemas import FIGURES, ComparedView, PredictionView, SpreadView

MB = 1e6
NEAR = 0.005  # of a figure: what is told to fewer digits than it was measured with is not off


def compare(predicted: PredictionView, rounds: Sequence[Taken], seconds: float | None) -> list[ComparedView]:
    """Compares rounds that are over with a prediction; the run itself as well where it is known how many seconds it took."""
    if not rounds:
        return []
    table = [figures(one, predicted.watts, predicted.joules_per_mb) for one in rounds]
    found = [_compared("round", name, getattr(predicted.round, name), median(row[name] for row in table)) for name in FIGURES]
    if seconds is not None:
        totals = {name: sum(row[name] for row in table) for name in FIGURES} | {"seconds": seconds}
        found += [_compared("run", name, getattr(predicted.run, name), totals[name]) for name in FIGURES]
    return found


def figures(one: Taken, watts: float, joules_per_mb: float) -> dict[str, float]:
    """Gives the figures of a round as a prediction has them."""
    return {
        "seconds": one.seconds,
        "drop_outs": one.asked - one.answered,
        "bytes_up": one.bytes_up,
        "bytes_down": one.bytes_down,
        "home_bytes_up": one.home_bytes_up,
        "home_bytes_down": one.home_bytes_down,
        "joules": watts * one.train_seconds + joules_per_mb * (one.home_bytes_up + one.home_bytes_down) / MB,
    }


def _compared(scope: Literal["round", "run"], name: str, predicted: SpreadView, measured: float) -> ComparedView:
    off = predicted.median - measured
    error = 100 * off / measured if measured else (0.0 if not off else None)
    slack = NEAR * abs(measured)
    return ComparedView(
        scope=scope,
        figure=name,
        predicted=predicted,
        measured=measured,
        error_percent=error,
        within=predicted.p10 - slack <= measured <= predicted.p90 + slack,
    )
