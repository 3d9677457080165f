"""What leaves a node over one link: sealed when it leaves, in order, no more at once than the link takes."""

from collections.abc import Callable, Hashable, Sequence

from folkmoot.clock import Source
from folkmoot.hop.batch import Send
from folkmoot.ids import MakeId
from folkmoot.link.face import Connected, Disconnected, Event, Failed, Last, Link, Published
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Body, Status, Telemetry
from folkmoot.wire.topics import Tree

# Messages that wait while there is no connection, or a slow one, and the bytes of memory that they take. More than a large home
# says at once; beyond either the oldest go, and the protocol's timers bring back what mattered.
WAITING, WEIGHT = 20_000, 64 << 20
EXPIRY = 3_600  # s that a broker keeps a message without a deadline for somebody who is away


class Outlet:
    """The queue of one link. It keeps a message until the broker has it; that it arrives is the protocol's business."""

    __slots__ = (
        "_boot",
        "_flying",
        "_link",
        "_make_id",
        "_me",
        "_sequence",
        "_tree",
        "_upper",
        "_waiting",
        "_wall",
        "_weight",
        "bytes",
        "messages",
        "sealing",
        "sent",
    )

    def __init__(self, link: Link, tree: Tree, me: str, *, upper: bool, boot: int, make_id: MakeId, wall: Source) -> None:
        """`me` signs; `upper`: which end this is; `boot` and a sequence make messages tellable apart."""
        self._link = link
        self._tree = tree
        self._me = me
        self._upper = upper
        self._boot = boot
        self._sequence = 0
        self._make_id = make_id
        self._wall = wall
        self.sealing: Callable[[codec.Envelope], bytes] = codec.seal
        self._waiting: dict[Hashable, Send] = {}
        self._weight = 0  # bytes of memory that those take
        self._flying: dict[int, Send] = {}
        self.bytes = 0  # of payloads that were handed to the link
        self.messages = 0
        self.sent: Callable[[str, bytes, int], None] = _nobody  # hears of each message: member, ask, bytes

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flying)

    @property
    def waiting(self) -> tuple[Send, ...]:
        """What has not been handed to the link, oldest first."""
        return tuple(self._waiting.values())

    def post(self, sends: Sequence[Send], now: int) -> None:
        """Queues messages and hands over what the link takes. A newer message with the same key replaces one that waits."""
        if len(sends) == 1 and not self._waiting and self._link.free > 0:
            self._leave(sends[0], now)
            return
        for send in sends:
            self._put(send)
            if self._full:
                self._flush(now)
                while self._full:
                    self._pop()
        self._flush(now)

    def hear(self, event: Event, now: Source) -> Send | None:
        """Takes what the link says; gives a message that the broker has refused for good. `now`: gives the timeline's time."""
        failed = None
        match event:
            case Published(key):
                self._flying.pop(_number(key), None)
            case Failed(key):
                failed = self._flying.pop(_number(key), None)
            case Disconnected(_, unsettled):
                back = [send for key in unsettled if (send := self._flying.pop(_number(key), None)) is not None]
                newer = self._waiting
                self._waiting = {send.key: send for send in back if send.lasting} | newer
                self._weight = sum(send.weight for send in self._waiting.values())
            case Connected():
                pass
            case _:
                return None
        if self._waiting:
            self._flush(now())
        return failed

    def last(self, send: Send, delay_s: int = 0) -> Last:
        """Gives a message that does not wait here, for a will or a goodbye."""
        return Last(self._topic(send), self._seal(send, send.body, None), send.retain, delay_s)

    @property
    def _full(self) -> bool:
        """Whether more waits than may."""
        return len(self._waiting) > WAITING or self._weight > WEIGHT

    def _put(self, send: Send) -> None:
        """Puts a message behind all that wait, in the place of an older one of its kind."""
        older = self._waiting.pop(send.key, None)
        self._waiting[send.key] = send
        self._weight += send.weight - (older.weight if older is not None else 0)

    def _pop(self) -> Send:
        """Gives the oldest that waits."""
        send = self._waiting.pop(next(iter(self._waiting)))
        self._weight -= send.weight
        return send

    def _flush(self, now: int) -> None:
        while self._waiting and self._link.free > 0:
            if not self._leave(self._pop(), now):
                return

    def _leave(self, send: Send, now: int) -> bool:
        """Hands one message over; says False where the link does not take it, and it waits, first of all."""
        left = None if send.deadline is None else max(0, send.deadline - now)
        if isinstance(send.body, Ask) and left == 0:
            return True  # late before it left
        body = send.whole
        if body is None:
            return True  # somebody has dropped what it was about: an answer that was receipted while its pieces waited
        payload = self._seal(send, body, left)
        expiry = None if send.retain else EXPIRY if left is None else max(1, -(-left // 1000))
        qos = 0 if isinstance(send.body, Telemetry) else 1
        if not self._link.send(self._sequence, self._topic(send), payload, retain=send.retain, qos=qos, expiry_s=expiry):
            self._waiting = {send.key: send} | self._waiting
            self._weight += send.weight
            return False
        self._flying[self._sequence] = send
        self.bytes += len(payload)
        self.messages += 1
        self.sent(send.member, send.ask, len(payload))
        return True

    def _seal(self, send: Send, body: Body, remaining: int | None) -> bytes:
        self._sequence += 1
        envelope = codec.Envelope(
            id=self._make_id(),
            src=self._me,
            dst=(send.member or self._me) if self._upper else (self._tree.upper or "cloud"),
            body=body,
            ask=send.ask,
            remaining_ms=remaining,
            ts_ms=max(0, self._wall()),
            fresh=(self._boot, self._sequence),
        )
        return self.sealing(envelope)

    def _topic(self, send: Send) -> str:
        if self._upper and isinstance(send.body, Status):
            return self._tree.upper_status
        return self._tree.topic(send.member, type(send.body), send.shard)


def _nobody(member: str, ask: bytes, size: int) -> None:
    """Hears nothing."""


def _number(key: Hashable) -> int:
    assert isinstance(key, int)
    return key
