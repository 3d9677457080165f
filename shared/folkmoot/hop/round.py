"""The upper end of one phase of one round: who was asked, who answered, and when it is over.

`handle(event, now)` is the whole interface. The same machine runs in the cloud, whose members are gateways, and in a gateway,
whose members are devices. Times are milliseconds of the machine's own timeline (architecture: Time).
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from folkmoot.errors import MisuseFault, PeerFault
from folkmoot.hop.effects import Closed, Effect, Merge, SendAsk, SendCancel, SendReceipt, Unmerge
from folkmoot.hop.events import (
    Answered,
    AskedAgain,
    Away,
    Back,
    Belated,
    Event,
    Gone,
    Joined,
    Opened,
    Refused,
    Retracted,
    Started,
    Stopped,
    Woke,
)
from folkmoot.hop.ids import ask_id
from folkmoot.hop.seat import DONE, OPEN, Seat
from folkmoot.wire.messages import Invited

# An Ask that nothing answers is sent again after 2 s x 2^k: PUBACK is no delivery (protocol.md, 4).
RESEND = 2_000
RESEND_CAP = 60_000


class Round:
    """One phase of one round, seen from above.

    States: new, open, closed. A seat's moves are in `_SEAT`, the round's own in `_ROUND`; what is in neither is refused.
    """

    def __init__(self) -> None:
        self.state: Literal["new", "open", "closed"] = "new"
        self.opened: Opened
        self.began = 0  # ms of the timeline
        self.seats: dict[str, Seat] = {}
        self.closed: Closed | None = None
        self.retracted: set[str] = set()  # devices
        self.belated: dict[bytes, Belated] = {}  # by the id of the Ask that was answered; factor 0: it was taken out again
        self._leaves: dict[str, str] = {}  # device to the member whose answer holds it
        self._soonest: int | None = None  # what `wake` gives; None: it has to look at every seat

    @property
    def wake(self) -> int | None:
        """When to send `Woke`, or None."""
        if self.state != "open":
            return None
        if self._soonest is None:
            dues = [seat.due for seat in self.seats.values() if seat.due is not None]
            self._soonest = min(self.opened.terms.deadline, *dues, self.opened.terms.deadline)
        return self._soonest

    @property
    def merged(self) -> list[Merge]:
        """The answers that are in the sums."""
        own = [Merge(name, seat.payload) for name, seat in self.seats.items() if seat.state == "taken"]
        return own + [Merge(one.member, one.payload, one) for one in self.belated.values() if one.factor]

    @property
    def leaves(self) -> int:
        """Devices whose updates are in the sums."""
        return len(self._leaves)

    @property
    def devices(self) -> set[str]:
        """Leaves that are asked for by name, or whose updates are in the sums."""
        return {leaf.device for seat in self.seats.values() for leaf in seat.each or ()} | self._leaves.keys()

    def holder(self, device: str) -> tuple[str, bytes] | None:
        """Gives the member whose answer brought a device's update into the sums, and that answer's sha256."""
        member = self._leaves.get(device)
        return None if member is None else (member, self.seats[member].payload)

    def holding(self, device: str) -> list[Belated]:
        """Gives the belated answers that have a device's update in them."""
        return [late for late in self.belated.values() if device in late.leaves]

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Takes one event at the time `now`; gives what to do once it is stored.

        Raises MisuseFault for a move of ours that the tables lack, PeerFault("not_asked") for a member without a seat. A
        fault changes nothing.
        """
        move = _ROUND.get((self.state, type(event)))
        if move is None:
            raise MisuseFault(f"a round that is {self.state} cannot take {type(event).__name__}")
        self._soonest = None
        effects = move(self, event, now)
        if self.state == "open":
            effects += self._settle(now)
        return effects

    def resume(self, now: int) -> list[Effect]:
        """Gives what to do after a replay: everybody who has not answered is asked again."""
        self._soonest = None
        if self.state != "open":
            return []
        return [
            effect
            for name, seat in self.seats.items()
            if seat.state in ("asked", "started") and not seat.reason
            for effect in self._send(name, now)
        ]

    # The round's own moves.

    def _open(self, event: Opened, now: int) -> list[Effect]:
        self.opened, self.began = event, now
        self.state = "open"
        effects: list[Effect] = []
        for invitation in event.members:
            seat = Seat("away", ask_id(event.key, invitation.member), invitation.each, invitation.goal)
            self.seats[invitation.member] = seat
            if invitation.here:
                effects += self._send(invitation.member, now)
            else:
                seat.due = now + event.terms.grace
        return effects

    def _seat(self, event: "_OfMember", now: int) -> list[Effect]:
        seat = self.seats.get(event.member)
        if seat is None:
            raise PeerFault("not_asked", f"{event.member} has no seat in {self.opened.key}")
        move = _SEAT.get((seat.state, type(event)))
        if move is None:
            raise MisuseFault(f"a seat that is {seat.state} cannot take {type(event).__name__}")
        return move(self, seat, event, now)

    def _join(self, event: Joined, now: int) -> list[Effect]:
        if not self.opened.terms.welcome or event.member in self.seats or event.member in self.retracted:
            return []
        self.seats[event.member] = Seat("asked", ask_id(self.opened.key, event.member), event.each)
        return self._send(event.member, now)

    def _blend(self, event: Belated, now: int) -> list[Effect]:
        if event.ask in self.belated:
            raise MisuseFault(f"an answer of {event.member} to an Ask of round {event.round} is counted twice")
        self.belated[event.ask] = event
        return [Merge(event.member, event.payload, event)]

    def _wake(self, event: Woke, now: int) -> list[Effect]:
        effects: list[Effect] = []
        for name, seat in self.seats.items():
            if seat.due is None or seat.due > now:
                continue
            if seat.state == "away":
                seat.state, seat.due = "gone", None
            else:
                effects += self._send(name, now)
        return effects

    def _stop(self, event: Stopped, now: int) -> list[Effect]:
        return self._close("stopped", event.reason)

    def _settle(self, now: int) -> list[Effect]:
        """Closes the round when its terms say so: by the clock or by a state, never because a message happened to come."""
        terms = self.opened.terms
        if terms.goal and self._counted >= terms.goal:
            reason = "goal"
        elif not self._waits:
            reason = "all"
        elif now >= terms.deadline:
            reason = "deadline"
        else:
            return []
        devices = self._leaves.keys() | {leaf for belated in self.belated.values() for leaf in belated.leaves}
        return self._close("complete" if len(devices) >= terms.minimum else "short", reason)

    @property
    def _counted(self) -> int:
        """Devices that count towards the goal: belated ones where whoever is late goes on."""
        late = 0 if self.opened.terms.behind is None else sum(len(one.leaves) for one in self.belated.values())
        return self.leaves + late

    @property
    def _waits(self) -> bool:
        """Whether there is anybody left to wait for, here or at work for an earlier round."""
        terms = self.opened.terms
        expected = len(self.belated) < (terms.behind or 0) or (terms.welcome and not self.seats)
        return expected or any(seat.awaited for seat in self.seats.values())

    def _close(self, outcome: Literal["complete", "short", "stopped"], reason: str) -> list[Effect]:
        self.state = "closed"
        self.closed = Closed(outcome, reason)
        goes_on = self.opened.terms.behind is not None
        waiting = [name for name, seat in self.seats.items() if seat.state in ("asked", "started") and not goes_on]
        for seat in self.seats.values():
            seat.due = None
            if seat.open and not seat.reason:
                seat.reason = reason
        return [*(SendCancel(name, reason) for name in waiting), self.closed]

    def _after(self, event: "Answered | Started | AskedAgain", now: int) -> list[Effect]:
        """Somebody comes when the round is over: they may forget about it."""
        seat = self.seats.get(event.member)
        if isinstance(event, Answered):
            if seat is not None and seat.state == "retracted":
                return self._again(seat, event, now)
            if seat is not None and seat.open and self.opened.ask.offline is not None:
                return []  # it may count in the next round: the member will offer it again
            taken = seat is not None and seat.state == "taken"
            return [SendReceipt(event.member, "dup" if taken else "late", event.payload)]
        goes_on = self.opened.terms.behind is not None and seat is not None and seat.open
        return [] if goes_on else [SendCancel(event.member, "closed")]

    def _ignore(self, event: Event, now: int) -> list[Effect]:
        return []

    def _retract(self, event: Retracted, now: int) -> list[Effect]:
        """Takes a device out wherever it stands. A closed round opens again where a member must answer again without it."""
        if event.device in self.retracted:
            return []
        self.retracted.add(event.device)
        held = self._leaves.get(event.device)
        effects: list[Effect] = []
        for name, seat in self.seats.items():
            if name in (event.device, held) or any(leaf.device == event.device for leaf in seat.each or ()):
                effects += self._release(name, seat, event.device, now)
        for late in self.holding(event.device):  # its home has forgotten it, and cannot make it again
            effects.append(Unmerge(late.member, late.payload, late))
            self.belated[late.ask] = msgspec.structs.replace(late, factor=0, leaves=())
        if self.state == "closed" and any(isinstance(effect, SendAsk) for effect in effects):
            self.state, self.closed = "open", None
        return effects

    # A seat's moves.

    def _send(self, name: str, now: int) -> list[Effect]:
        seat = self.seats[name]
        seat.state = "asked"
        seat.due = now + min(RESEND << seat.tries, RESEND_CAP)
        seat.tries = min(seat.tries + 1, 16)
        return [SendAsk(name)]

    def _release(self, name: str, seat: Seat, device: str, now: int) -> list[Effect]:
        """Takes a device out of a seat: the member is asked again for those that are left to it, if it still owes them."""
        effects: list[Effect] = []
        known = seat.each if seat.each is not None else tuple(Invited(leaf) for leaf in seat.leaves)
        held = device in seat.leaves
        if held:
            effects.append(Unmerge(name, seat.payload))
            self._leaves = {leaf: member for leaf, member in self._leaves.items() if member != name}
            seat.state, seat.reason, seat.payload, seat.leaves, seat.owes = "started", "", b"", (), True
        seat.each = tuple(leaf for leaf in known if leaf.device != device and name != device)
        seat.goal = min(seat.goal, len(seat.each))
        reachable = seat.state in ("asked", "started") and not seat.reason
        if seat.open and not seat.each:
            seat.state, seat.due, seat.reason = "retracted", None, ""
            return [*effects, SendCancel(name, "retracted")] if reachable else effects
        if not reachable:
            return effects
        seat.tries = 0
        return effects + self._send(name, now)

    def _start(self, seat: Seat, event: Started, now: int) -> list[Effect]:
        seat.state = "started"
        if not seat.owes:  # otherwise it may be about the Ask before: that one is sent until there is an answer
            seat.due, seat.tries = None, 0
        return []

    def _answer(self, seat: Seat, event: Answered, now: int) -> list[Effect]:
        if not event.rejection and not self.retracted.isdisjoint(event.leaves):
            return self._answer_without(seat, event, now)
        twice = next((device for device in event.leaves if device in self._leaves), None)
        reason = event.rejection or ("duplicate_leaf" if twice else "")
        seat.due = None
        seat.payload = event.payload
        if reason:
            seat.state, seat.reason = "rejected", reason
            return [SendReceipt(event.member, "bad", event.payload, reason)]
        seat.state, seat.leaves, seat.owes = "taken", event.leaves, False
        self._leaves.update(dict.fromkeys(event.leaves, event.member))
        return [Merge(event.member, event.payload), SendReceipt(event.member, "ok", event.payload)]

    def _answer_without(self, seat: Seat, event: Answered, now: int) -> list[Effect]:
        """The answer crossed a retraction: its member is to make it again, without the device."""
        if seat.each is None:
            seat.each = tuple(Invited(leaf) for leaf in event.leaves if leaf not in self.retracted)
        seat.tries, seat.payload, seat.owes = 0, b"", True
        return self._send(event.member, now)

    def _again(self, seat: Seat, event: Answered, now: int) -> list[Effect]:
        if seat.state == "taken":
            return [SendReceipt(event.member, "dup", event.payload)]
        return [SendReceipt(event.member, "bad", event.payload, seat.reason or seat.state)]

    def _refuse(self, seat: Seat, event: Refused, now: int) -> list[Effect]:
        seat.state, seat.reason, seat.due = "refused", event.reason, None
        return []

    def _lose(self, seat: Seat, event: Away, now: int) -> list[Effect]:
        seat.state, seat.due = "away", now + self.opened.terms.grace
        return []

    def _leave(self, seat: Seat, event: Gone, now: int) -> list[Effect]:
        seat.state, seat.due = "gone", None
        return []

    def _ask(self, seat: Seat, event: "Back | AskedAgain", now: int) -> list[Effect]:
        seat.tries = 0
        return self._send(event.member, now)

    def _cancel(self, seat: Seat, event: "Started | AskedAgain", now: int) -> list[Effect]:
        return [SendCancel(event.member, "answered")]

    def _keep(self, seat: Seat, event: Event, now: int) -> list[Effect]:
        return []


_OfMember = Started | Answered | Refused | Away | Back | Gone | AskedAgain
_Move = Callable[..., list[Effect]]

_ROUND: dict[tuple[str, type], _Move] = {
    ("new", Opened): Round._open,
    **{("open", kind): Round._seat for kind in (Started, Answered, Refused, Away, Back, Gone, AskedAgain)},
    ("open", Joined): Round._join,
    **{(state, Retracted): Round._retract for state in ("open", "closed")},
    ("open", Belated): Round._blend,
    ("open", Woke): Round._wake,
    ("open", Stopped): Round._stop,
    **{("closed", kind): Round._after for kind in (Answered, Started, AskedAgain)},
    **{("closed", kind): Round._ignore for kind in (Refused, Away, Back, Gone, Joined, Woke, Stopped)},
}

_SEAT: dict[tuple[str, type], _Move] = {
    # Away is not gone: a member that was counted out and returns in time is taken back where it stood.
    **{(state, Started): Round._start for state in OPEN},
    **{(state, Answered): Round._answer for state in OPEN},
    **{(state, Refused): Round._refuse for state in OPEN},
    **{(state, Away): Round._lose for state in ("asked", "started")},
    **{(state, Back): Round._ask for state in OPEN},
    **{(state, Gone): Round._leave for state in ("asked", "started", "away")},
    **{(state, AskedAgain): Round._ask for state in OPEN},
    # Who has answered, refused, was rejected or retracted is done; its repetitions get the same word again.
    **{(state, Answered): Round._again for state in DONE},
    **{(state, kind): Round._cancel for state in DONE for kind in (Started, AskedAgain)},
    **{(state, kind): Round._keep for state in DONE for kind in (Refused, Away, Back, Gone)},
    **{(state, kind): Round._keep for state in ("away", "gone") for kind in (Away,)},
    ("gone", Gone): Round._keep,
}
