"""What became of those who went on when rounds of an asynchronous run were over: fates as if the rounds had waited for them.

The record of such a round says who had answered when it was over. Taken as it is, it would make every fleet as quick as its
quickest. Answers that came later stand beside it, with the jobs that were in them; and of a home that has never answered it is
known how long it was at it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from folkmoot_cloud.predictions.measured import homes_of
from folkmoot_cloud.rounds.fates import Fate


@dataclass(frozen=True, slots=True)
class Late:
    """An answer that counts in a later round."""

    size: int  # bytes
    came: float  # seconds, of any clock


@dataclass(frozen=True, slots=True)
class Account:
    """A round of an asynchronous run, as it is recorded."""

    run: str
    began: float  # seconds, of the same clock
    over: float
    members: Sequence[Fate]
    late: Mapping[str, Late]  # by home


def settle(accounts: Sequence[Account]) -> list[list[Fate]]:
    """Gives what became of the members of each round, oldest first."""
    found: list[list[Fate]] = []
    again: dict[tuple[str, str], float] = {}  # run and home, to when it was asked anew
    ends: dict[str, float] = {}  # of runs, as far as we know them
    for one in reversed(accounts):
        last = ends.setdefault(one.run, one.over)
        became: list[Fate] = []
        for home, below in homes_of(one.members):
            became += _home(one, home, below, again.get((one.run, home.gateway), last))
            again[one.run, home.gateway] = one.began
        found.append(became)
    return found[::-1]


def _home(one: Account, home: Fate, below: Sequence[Fate], until: float) -> Iterator[Fate]:
    """Yields what became of a home and its devices; `until`: when it was at work for that round no more, at the latest."""
    late = one.late.get(home.gateway)
    if late is not None:
        yield replace(home, fate="answered", reason="", bytes_up=home.bytes_up + late.size, seconds=late.came - one.began)
        for device in below:
            # A home that has answered has waited for all of its devices that it could hear.
            word, reason = ("silent", "all") if device.train_seconds is None else ("answered", "")
            yield replace(device, fate=word, reason=reason)  # type: ignore[arg-type]
    elif home.fate == "late":
        yield replace(home, seconds=until - one.began)
        yield from below
    elif (home.fate, home.reason) != ("silent", "goal"):
        yield home
        yield from below
    # Else it had not yet said that it has begun when the round was over: nobody knows whether it ever has.
