"""The key figures of a result: what a run came to, in a few numbers."""

from collections.abc import Sequence

import msgspec

from folkmoot.simulate.result.tables import Result


class Summary(msgspec.Struct, frozen=True):
    """The key figures. None: it was not measured, or never came."""

    rounds: int
    complete: int  # rounds whose model is a new one
    seconds: float  # when the last round closed
    accuracy: float | None  # the last that was measured
    loss: float | None
    to_80: float | None  # simulated seconds until 80 % of that accuracy was first reached
    to_90: float | None
    bytes: int  # on every hop, both ways
    messages: int
    joules: float
    devices: int
    never: int  # devices that were merged in no round
    fairness: float | None  # of merged rounds over devices, see `jain`


def summarise(result: Result) -> Summary:
    """Gives the key figures of a result."""
    rounds = result.rounds
    accuracies = [one.accuracy for one in rounds if one.accuracy is not None]
    losses = [one.loss for one in rounds if one.loss is not None]
    merged = [one.merged for one in result.devices]
    return Summary(
        rounds=len(rounds),
        complete=sum(one.outcome == "complete" for one in rounds),
        seconds=max((one.closed_s for one in rounds), default=0.0),
        accuracy=accuracies[-1] if accuracies else None,
        loss=losses[-1] if losses else None,
        to_80=reached(result, 0.8),
        to_90=reached(result, 0.9),
        bytes=sum(one.bytes for one in rounds),
        messages=sum(one.messages for one in rounds),
        joules=sum(one.joules for one in rounds),
        devices=len(merged),
        never=merged.count(0),
        fairness=jain(merged),
    )


def reached(result: Result, share: float) -> float | None:
    """Gives the simulated seconds at which a share of the final accuracy was first reached; None without any accuracy."""
    known = [(one.closed_s, one.accuracy) for one in result.rounds if one.accuracy is not None]
    return next((at for at, accuracy in known if accuracy >= share * known[-1][1]), None)


def jain(shares: Sequence[float]) -> float | None:
    """Gives the fairness index of shares: 1 where all have the same, k/n where k of n have all; None where nobody has any.

    Jain, Chiu, Hawe: A Quantitative Measure of Fairness and Discrimination for Resource Allocation in Shared Computer Systems,
    DEC-TR-301, 1984.
    """
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else None
