"""What a prediction says in words: whether a shorter deadline pays off, and what the figures do not know of."""

from collections.abc import Sequence

from folkmoot_cloud.predictions.measured import Power
from folkmoot_cloud.predictions.outlook import Forecast, Sooner

# A shorter deadline pays off where it saves a tenth of a round's time and costs at most one answer in twenty.
SAVES, COSTS = 0.9, 0.95
FEW = 3  # rounds with which an interval says little


def advice(deadlines: Sequence[Sooner], minimum: int) -> str:
    """Gives one sentence: the shortest deadline that pays off, or that none does. The wished one comes last."""
    wished = deadlines[-1]
    for one in deadlines[:-1]:
        quick = one.seconds.median <= SAVES * wished.seconds.median
        whole = one.answered.median >= COSTS * wished.answered.median and one.short <= wished.short
        if quick and whole:
            return (
                f"a deadline of {one.deadline:g} s would pay off: a round would take {one.seconds.median:.3g} s instead of "
                f"{wished.seconds.median:.3g} s, with {one.answered.median:.0f} answers instead of {wished.answered.median:.0f}"
            )
    if wished.short > 0.1:
        return (
            f"{wished.short:.0%} of the rounds would make no version with {wished.deadline:g} s: "
            f"give them more time, or lower min_answers ({minimum})"
        )
    return f"a deadline shorter than {wished.deadline:g} s would not pay off"


def notes(found: Forecast, power: Power) -> list[str]:
    """Gives what the figures take for granted, one sentence each."""
    basis = found.basis
    said = [
        f"energy: {power.watts:g} W while a device trains and {power.joules_per_mb:g} J/MB of traffic are taken for granted, "
        "for no device says what it needs"
    ]
    if basis.rounds < FEW:
        many = "one round has" if basis.rounds == 1 else f"{basis.rounds} rounds have"
        said.append(f"only {many} been measured: what varies between rounds is hardly known, and intervals are too narrow")
    if not basis.split:
        said.append("all jobs had as many steps as before: the whole of a job's time is taken to grow with its steps")
    if found.waiting > 0:
        said.append(f"{found.waiting:.0%} of the time too few devices are there: the run waits then, which is not counted")
    return said


def unknown(*, late_counts: bool, asynchronous: bool, other_bytes: bool) -> list[str]:
    """Gives what of the run itself the figures do not know, one sentence each."""
    said = []
    if late_counts:
        said.append("late answers are counted as drop-outs, though `offline` lets them count in a later round")
    if asynchronous:
        said.append(
            "who is away is taken to be for about as long as an answer takes: the record does not say how long at a time"
        )
    if other_bytes:
        said.append("bytes from devices to their gateways are those of rounds of another `transform`, at least in part")
    return said
