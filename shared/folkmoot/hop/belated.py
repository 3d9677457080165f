"""Answers to Asks whose round is over: where the run's policy lets them, they count in the round that is open, at a discount.

What an answer may still count is for the node to say, which knows its runs (`Standing`); this takes in its bytes, has it judged
against its own Ask, and gives what the open round is to be told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from folkmoot.hop import round
from folkmoot.hop.batch import Batch, Fault, Send
from folkmoot.hop.open_round import Open
from folkmoot.hop.ports import Judgement, Late, Spool
from folkmoot.wire import codec
from folkmoot.wire.messages import Answer, Chunk, Receipt
from folkmoot.wire.topics import Place


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
    event: round.Belated
    data: bytes
    judged: Judgement


Refusal = Callable[[str, bytes, Answer, str], None]
"""Hears of an answer that does not count: its member, its Ask id, its manifest, and why."""


def unheard(member: str, ask: bytes, answer: Answer, reason: str) -> None:
    """Hears nothing."""


def always_late(member: str, ask: bytes, answer: Answer) -> Literal["late"]:
    """Gives the standing of an upper end without a policy."""
    return "late"


class Belated:
    """Belated answers on their way in."""

    def __init__(self, rounds: Mapping[str, Open], spool: Spool) -> None:
        self.standing: Standing = always_late
        self.refused: Refusal = unheard
        self._rounds = rounds
        self._spool = spool
        self._coming: dict[tuple[str, bytes], Answer] = {}  # member and Ask id to the manifest

    def answered(self, batch: Batch, place: Place, ask: bytes, answer: Answer) -> Whole | None:
        """Takes a manifest. What is not answered here will be offered again, when the next round is open."""
        self._coming.pop((place.member, ask), None)
        standing = self.standing(place.member, ask, answer)
        if standing == "wait":
            return None
        if not isinstance(standing, Welcome):
            if standing == "late":
                self.refused(place.member, ask, answer, "late")
            self._receipt(batch, place, ask, Receipt(status=standing, payload=answer.payload))
            return None
        limit = self._rounds[standing.key].sums.limit
        if answer.size > limit:
            self._reject(batch, place, ask, answer, "oversized", f"{answer.size} bytes; {limit} can be sound")
            return None
        if answer.inline is not None:
            return self._complete(batch, place, ask, answer, answer.inline, standing)
        have = self._spool.have(answer.payload, answer.size, answer.chunk)
        if have.full:
            data = self._spool.read(answer.payload)
            self._spool.drop(answer.payload)
            return self._complete(batch, place, ask, answer, data, standing)
        self._coming[place.member, ask] = answer
        self._receipt(batch, place, ask, Receipt(status="need", payload=answer.payload, have=bytes(have)))
        return None

    def chunk(self, batch: Batch, place: Place, ask: bytes, piece: Chunk) -> Whole | None:
        """Takes one piece, whose checksum has been compared."""
        answer = self._coming.get((place.member, ask))
        if answer is None or answer.payload != piece.payload or not self._spool.write(piece.payload, piece.index, piece.data):
            return None
        return self.answered(batch, place, ask, answer)

    def _complete(self, batch: Batch, place: Place, ask: bytes, answer: Answer, data: bytes, welcome: Welcome) -> Whole | None:
        member, open = place.member, self._rounds[welcome.key]
        if len(data) != answer.size or codec.digest(data) != answer.payload:
            batch.faults.append(Fault(member, "digest", "the payload is not what its manifest names"))
            return None  # damaged on its way: the sender hears nothing, and offers it again
        waited = sum(len(seat.each or ()) for seat in open.round.seats.values() if seat.open)
        late = replace(welcome.late, reserved=waited * open.round.opened.ask.cap)
        judged = open.sums.judge(member, answer, data, welcome.below, late)
        if judged.rejection == "full":
            return None
        if judged.rejection:
            self._reject(batch, place, ask, answer, judged.rejection, judged.detail)
            return None
        if not judged.leaves:  # nobody learnt: there is nothing that could count
            self.refused(place.member, ask, answer, "no_usable_updates")
            self._receipt(batch, place, ask, Receipt(status="late", payload=answer.payload))
            return None
        event = round.Belated(
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
        self._receipt(batch, place, ask, Receipt(status="ok", payload=answer.payload))
        return Whole(open, event, data, judged)

    def _reject(self, batch: Batch, place: Place, ask: bytes, answer: Answer, reason: str, detail: str) -> None:
        batch.faults.append(Fault(place.member, reason, detail))
        self.refused(place.member, ask, answer, reason)
        self._receipt(batch, place, ask, Receipt(status="bad", payload=answer.payload, reason=reason))

    def _receipt(self, batch: Batch, place: Place, ask: bytes, receipt: Receipt) -> None:
        batch.sends.append(Send(place.member, receipt, ask, place.shard))
