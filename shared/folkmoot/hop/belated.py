"""Answers to Asks whose round is over: where the run's policy lets them, they count in the round that is open, at a discount.

What an answer may still count is for the node to say, which knows its runs (`Standing`); this takes in its bytes, has it judged
against its own Ask, and gives what the open round is to be told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from folkmoot.hop import events
from folkmoot.hop.batch import Batch, Fault, Send
from folkmoot.hop.open_round import Open
from folkmoot.hop.ports import Judgement, Late
from folkmoot.hop.transfers import Transfers
from folkmoot.wire import codec
from folkmoot.wire.messages import Answer, Chunk, Receipt
from folkmoot.wire.topics import Place

EMPTY = "no_usable_updates"


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer counts in the round `key`, which is open."""

    key: str
    below: frozenset[str] | None  # devices that the member was asked for; None: any
    late: Late


Standing = Callable[[str, bytes, Answer], Welcome | Literal["late", "dup", "wait"]]
"""Takes member, Ask id and manifest; gives what such an answer is worth now. `wait`: a round that it may count in will open."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that counts: what the open round is told, and what is stored and added for it."""

    open: Open
    event: events.Belated
    data: bytes
    judged: Judgement


Refusal = Callable[[str, bytes, Answer, str], None]
"""Hears of an answer that does not count: its member, its Ask id, its manifest, and why."""


def unheard(member: str, ask: bytes, answer: Answer, reason: str) -> None:
    """Hears nothing."""


Wanted = Callable[[str, bytes], bool]
"""Says whether a member is to go on with an Ask whose round is over: its answer is to count in a later one."""


Dropped = Callable[[str, bytes], None]
"""Hears of a member that does not work for an Ask any more whose round is over."""


def never(member: str, ask: bytes) -> bool:
    """Says no."""
    return False


def unnoticed(member: str, ask: bytes) -> None:
    """Hears nothing."""


def always_late(member: str, ask: bytes, answer: Answer) -> Literal["late"]:
    """Gives the standing of an upper end without a policy."""
    return "late"


class Belated:
    """Belated answers on their way in."""

    def __init__(self, rounds: Mapping[str, Open], transfers: Transfers) -> None:
        self.standing: Standing = always_late
        self.refused: Refusal = unheard
        self.wanted: Wanted = never
        self.dropped: Dropped = unnoticed
        self._rounds = rounds
        self._transfers = transfers
        self._coming: dict[tuple[str, bytes], bytes] = {}  # member and Ask id to the sha256 of the payload

    def answered(self, batch: Batch, place: Place, ask: bytes, answer: Answer, room: int) -> Whole | None:
        """Takes a manifest; `room`: bytes that are left for answers that are kept.

        What is not answered here will be offered again, when the next round is open.
        """
        member = place.member
        before = self._coming.pop((member, ask), answer.payload)
        if before != answer.payload:  # it has been made anew: one transfer for each Ask
            self._transfers.end(member, before)
        standing = self.standing(member, ask, answer)
        if standing == "wait":
            return None
        if not isinstance(standing, Welcome):
            if standing == "late":
                self.refused(member, ask, answer, "late")
            self._done(batch, place, ask, Receipt(status=standing, payload=answer.payload))
            return None
        limit = self._rounds[standing.key].sums.limit
        if answer.size > limit:
            self._reject(batch, place, ask, answer, "oversized", f"{answer.size} bytes; {limit} can be sound")
            return None
        if answer.size > room:
            return None
        if answer.inline is not None:
            return self._complete(batch, place, ask, answer, answer.inline, standing)
        have = self._transfers.begin(member, ask, answer, batch.now)
        if have is not None and have.full:
            return self._complete(batch, place, ask, answer, self._transfers.read(member, answer.payload), standing)
        self._coming[member, ask] = answer.payload
        if have is not None:  # otherwise it has its turn later
            need = Receipt(status="need", payload=answer.payload, have=bytes(have))
            batch.sends.append(Send(member, need, ask, place.shard))
        return None

    def chunk(self, batch: Batch, place: Place, ask: bytes, piece: Chunk) -> Answer | None:
        """Takes one piece, whose checksum has been compared; gives the manifest when all are there."""
        if self._coming.get((place.member, ask)) != piece.payload:
            return None
        return self._transfers.write(place.member, piece, batch.now)

    def _complete(self, batch: Batch, place: Place, ask: bytes, answer: Answer, data: bytes, welcome: Welcome) -> Whole | None:
        member, open = place.member, self._rounds[welcome.key]
        if len(data) != answer.size or codec.digest(data) != answer.payload:
            batch.faults.append(Fault(member, "digest", "the payload is not what its manifest names"))
            self._transfers.end(member, answer.payload)
            return None  # damaged on its way: the sender hears nothing, and offers it again
        waited = sum(len(seat.each or ()) for seat in open.round.seats.values() if seat.open)
        late = replace(welcome.late, reserved=waited * open.round.opened.ask.cap)
        judged = open.sums.judge(member, answer, data, welcome.below, late)
        if judged.rejection == "full":
            return None  # whole, and for a later round
        if judged.rejection:
            self._reject(batch, place, ask, answer, judged.rejection, judged.detail)
            return None
        # Nobody learnt: there is nothing that could count. Or somebody did who is to be out of this round.
        why_not = "retracted" if not open.round.retracted.isdisjoint(judged.leaves) else "" if judged.leaves else EMPTY
        if why_not:
            self.refused(member, ask, answer, why_not)
            self._done(batch, place, ask, Receipt(status="late", payload=answer.payload))
            return None
        event = events.Belated(
            member=member,
            ask=ask,
            round=answer.round,
            local=answer.local,
            base=late.base,
            weights=late.weights,
            factor=late.factor,
            payload=answer.payload,
            leaves=judged.leaves,
        )
        self._done(batch, place, ask, Receipt(status="ok", payload=answer.payload))
        return Whole(open, event, data, judged)

    def _reject(self, batch: Batch, place: Place, ask: bytes, answer: Answer, reason: str, detail: str) -> None:
        batch.faults.append(Fault(place.member, reason, detail))
        self.refused(place.member, ask, answer, reason)
        self._done(batch, place, ask, Receipt(status="bad", payload=answer.payload, reason=reason))

    def _done(self, batch: Batch, place: Place, ask: bytes, receipt: Receipt) -> None:
        self._transfers.end(place.member, receipt.payload)
        batch.sends.append(Send(place.member, receipt, ask, place.shard))
