"""What a run remembers of its rounds that are over: whose answers may still come, relative to what, and what was counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from folkmoot.hop import round


@dataclass(frozen=True, slots=True)
class Kept:
    """One training round that is over."""

    base: int  # version that its members started from
    weights: bytes
    asked: Mapping[str, frozenset[str] | None]  # members, to the devices they were asked for; None: any
    counted: frozenset[bytes]  # ids of its Asks whose answers are in a model
    until: int  # ms of the timeline: when its Asks are over
    cut: frozenset[str] = frozenset()  # members below which a device was taken out: what goes on from their answer holds it


@dataclass(frozen=True, slots=True)
class Past:
    """The rounds whose answers could still count, by number. A value: it is replaced, never changed."""

    rounds: Mapping[int, Kept] = field(default_factory=dict)

    def after(self, machine: round.Round, oldest: int) -> "Past":
        """Gives the past once one more round is over; rounds whose base is older than version `oldest` are forgotten.

        A member that has refused, or whose answer was rejected, has had its word. One whose answer was taken may not know that,
        and bring local rounds that go on from it.
        """
        ask, seats = machine.opened.ask, machine.seats
        rounds = dict(self.rounds)
        rounds[ask.round] = Kept(
            base=ask.base,
            weights=ask.weights,
            asked={
                name: None if seat.each is None else frozenset(leaf.device for leaf in seat.each)
                for name, seat in seats.items()
                if seat.open or seat.state == "taken"
            },
            counted=frozenset(seat.ask for seat in seats.values() if seat.state == "taken"),
            until=machine.opened.terms.deadline,
            cut=frozenset(
                one.member
                for one in machine.opened.members
                if not machine.retracted.isdisjoint(leaf.device for leaf in one.each or ())
            ),
        )
        for belated in machine.belated.values():
            if (kept := rounds.get(belated.round)) is not None:
                rounds[belated.round] = replace(kept, counted=kept.counted | {belated.ask})
        return Past({number: kept for number, kept in rounds.items() if kept.base >= oldest})

    def without(self, number: int, member: str) -> "Past":
        """Gives the past once a member has had its word about a round, and its answer does not count."""
        kept = self.rounds[number]
        asked = {name: devices for name, devices in kept.asked.items() if name != member}
        return Past({**self.rounds, number: replace(kept, asked=asked)})
