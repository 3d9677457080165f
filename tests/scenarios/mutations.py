"""Bugs that somebody might make in the protocol, each as a change of the real program. A seed must tell every one of them.

Each is a function without arguments that changes classes of the product in this process, for good.
"""

from typing import Any

import msgspec

from folkmoot import clock, parts
from folkmoot.hop import answers, effects, events, lower, member, round, upper
from folkmoot.hop.batch import Batch
from folkmoot.hop.roster import Roster
from folkmoot.hop.seat import Seat
from folkmoot.serve import driver
from folkmoot.serve.port import Births
from folkmoot.simulate import disk
from folkmoot.wire import codec


def count_twice() -> None:
    """Nobody looks whether an answer is in the sums already."""

    def merge(self: round.Round, seat: Seat, event: events.Answered, now: int) -> list[effects.Effect]:
        seat.state, seat.leaves, seat.payload, seat.due = "taken", event.leaves, event.payload, None
        self._leaves.update(dict.fromkeys(event.leaves, event.member))
        return [effects.Merge(event.member, event.payload), effects.SendReceipt(event.member, "ok", event.payload)]

    for state in ("asked", "started", "away", "gone", "taken"):
        round._SEAT[state, events.Answered] = merge
    Seat.open = property(lambda self: self.state in ("asked", "started", "away", "gone", "taken"))  # type: ignore[assignment]
    parts.Fold.check = lambda self, content: None  # type: ignore[method-assign,assignment]


def acknowledge_first() -> None:
    """What a step wants done is done before it is stored."""

    async def turn(self: driver.Stepper, node: Any, ports: Any) -> Any:
        inputs, self._inbox = self._inbox, []
        batches = node.step(inputs, self._timeline.now())
        for hop, batch in batches.items():
            ports[hop].perform(batch)
        await self._journal.commit(batches, self._timeline.mark)
        node.perform()
        return batches

    driver.Stepper.turn = turn  # type: ignore[method-assign]


def never_sync() -> None:
    """An answer is told ok although a power cut may still take it back."""
    original = disk.Ledger.commit

    def commit(self: disk.Ledger, batches: Any, facts: Any, firm: bool = False) -> None:
        for batch in batches:
            batch.firm = False
        original(self, batches, facts, firm)

    disk.Ledger.commit = commit  # type: ignore[method-assign]


def lose_answers_in_a_restart() -> None:
    """That an answer was taken is not journalled."""
    whole = Batch.rows.fget  # type: ignore[attr-defined]
    Batch.rows = property(lambda self: [row for row in whole(self) if not isinstance(row[1], events.Answered)])  # type: ignore[assignment]


def keep_no_payload() -> None:
    """The journal says that an answer was taken, but its content is not kept."""
    original = upper.Upper._complete

    def complete(self: upper.Upper, batch: Batch, *rest: Any) -> None:
        before = list(batch.keeps)
        original(self, batch, *rest)
        batch.keeps = before

    upper.Upper._complete = complete  # type: ignore[method-assign]


def forget_the_outbox() -> None:
    """After a restart nobody offers the answers again that are stored."""
    original = lower.Lower.restore

    def restore(self: lower.Lower, history: Any) -> None:
        if not any(isinstance(event, member.Worked) for _, event in history):
            original(self, history)

    lower.Lower.restore = restore  # type: ignore[method-assign]


def forget_at_the_first_piece() -> None:
    """An answer whose pieces are wanted is taken for done."""

    def receipt(self: member.Member, event: member.Receipted, now: int) -> list[member.Effect]:
        return self._end(event.status)

    member._MOVES["offering", member.Receipted] = receipt


def believe_what_is_damaged() -> None:
    """Nobody looks at a message's check, nor whether a payload is what its manifest names."""
    original = upper.Upper._complete

    def complete(self: upper.Upper, batch: Batch, open: Any, member: str, answer: Any, data: bytes) -> None:
        if answer.inline is not None:
            answer = msgspec.structs.replace(answer, payload=codec.digest(data), size=len(data))
        original(self, batch, open, member, answer, data)

    upper.Upper._complete = complete  # type: ignore[method-assign]
    unseal = codec.unseal
    codec.unseal = lambda data, *, limit: unseal(codec.check(bytes(data)), limit=limit)


def believe_the_wall_clock() -> None:
    """The machine's own time is the wall clock's, which people set."""

    original = clock.Timeline.__init__

    def init(self: clock.Timeline, last: clock.Mark | None, monotonic: clock.Source, wall: clock.Source) -> None:
        original(self, last, wall, wall)

    clock.Timeline.__init__ = init  # type: ignore[method-assign,assignment]


def close_when_something_comes() -> None:
    """No timer wakes a round at its deadline."""
    round.Round.wake = property(lambda self: None)  # type: ignore[assignment]


def truncate() -> None:
    """Lifting cuts off instead of rounding to even."""
    parts.np.rint = parts.np.trunc  # type: ignore[attr-defined]


def need_no_minimum() -> None:
    """A model is made of however few."""
    original = round.Round._open

    def open(self: round.Round, event: events.Opened, now: int) -> list[effects.Effect]:
        terms = events.Terms(
            **{name: getattr(event.terms, name) for name in ("deadline", "goal", "grace", "welcome")}, minimum=0
        )
        return original(self, events.Opened(event.key, event.ask, terms, event.members), now)

    round._ROUND["new", events.Opened] = open


def never_ask_again() -> None:
    """A member that was away is not asked again when it is back."""
    for state in ("asked", "started", "away", "gone"):
        round._SEAT[state, events.Back] = round.Round._keep
        round._SEAT[state, events.AskedAgain] = round.Round._keep
    round.Round.resume = lambda self, now: []  # type: ignore[method-assign]


def one_birth() -> None:
    """Connections are not counted: a will of an older one, come late, counts as much as the newest status."""
    Births.next = lambda self: 1  # type: ignore[method-assign]
    original = Roster.status

    def status(self: Roster, member: str, status: Any, now: int) -> Any:
        entry = self.entries.get(member)
        if entry is not None and status.birth == entry.birth and status.state != "down":
            return None
        return original(self, member, status, now)

    Roster.status = status  # type: ignore[method-assign]


def keep_what_is_over() -> None:
    """Members that are done stay in the journal. (Rounds that did would be several of one run: the cloud refuses to begin.)"""
    original = Batch.forget

    def forget(self: Batch, machine: str) -> None:
        if not machine.startswith(answers.PREFIX):
            original(self, machine)

    Batch.forget = forget  # type: ignore[method-assign]


ALL = [
    value
    for name, value in list(globals().items())
    if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == __name__
]
