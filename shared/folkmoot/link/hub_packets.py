"""What a client and a broker in memory say to one another: MQTT's packets, as far as a link means something by them."""

from dataclasses import dataclass
from math import inf
from random import Random
from typing import ClassVar

import msgspec

from folkmoot.link.face import Last, Session
from folkmoot.link.loss import Loss

CONTROL = 4  # bytes of an acknowledgement
SETUP = 120  # about the bytes of a packet that sets a session up


class Connect(msgspec.Struct, frozen=True, gc=False):
    """CONNECT."""

    session: Session
    will: Last | None
    size: ClassVar[int] = SETUP


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """SUBSCRIBE to all `filters`, or to `added` among them and UNSUBSCRIBE from all others."""

    filters: tuple[str, ...]
    added: tuple[str, ...] | None = None
    size: ClassVar[int] = SETUP


class Publish(msgspec.Struct, frozen=True, gc=False):
    """PUBLISH of a client, with the number that its acknowledgement names."""

    number: int
    topic: str
    payload: bytes
    retain: bool
    qos: int
    expiry_s: int | None
    size: int  # bytes of the packet


class Puback(msgspec.Struct, frozen=True, gc=False):
    """PUBACK of a client for the delivery that `token` names."""

    token: int
    size: ClassVar[int] = CONTROL


class Disconnect(msgspec.Struct, frozen=True, gc=False):
    """DISCONNECT, behind a last word."""

    goodbye: Last | None
    size: ClassVar[int] = CONTROL


Up = Connect | Subscribe | Publish | Puback | Disconnect


class Connack(msgspec.Struct, frozen=True, gc=False):
    """CONNACK."""

    resumed: bool
    size: ClassVar[int] = CONTROL


class Suback(msgspec.Struct, frozen=True, gc=False):
    """SUBACK."""

    filters: tuple[str, ...]
    size: ClassVar[int] = CONTROL


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """PUBLISH of the broker; without a token it wants no acknowledgement."""

    topic: str
    payload: bytes
    retained: bool
    token: int | None
    size: int  # bytes of the packet


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """PUBACK of the broker; `heard`: somebody has subscribed to it."""

    number: int
    heard: bool
    size: ClassVar[int] = CONTROL


Down = Connack | Suback | Delivery | Accepted


class Lost(msgspec.Struct, frozen=True, gc=False):
    """No packet: the other end has seen the connection break."""

    reason: str
    size: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """How fast a client's line is."""

    latency_ms: int = 1  # one way
    up: float = inf  # bytes per ms
    down: float = inf
    loss: float = 0.0  # share of TCP's segments that are lost, either way


class Line:
    """One way of a line: packets leave one after another."""

    __slots__ = ("_free", "_loss", "rate")

    def __init__(self, rate: float, loss: Loss | None = None) -> None:
        """`rate` in bytes per ms; `loss`: what it loses."""
        self.rate = rate
        self._loss = loss
        self._free = 0.0  # ms: when the last one has left

    def leaves(self, now: int, size: int) -> int:
        """Gives when the last byte of a packet has left for good that is handed over now, in ms."""
        left = now
        if self.rate != inf:
            self._free = max(self._free, float(now)) + size / self.rate
            left = -int(-self._free // 1)
        return left if self._loss is None else left + self._loss.delay(size)


def line(shape: Shape, rate: float, rng: Random) -> Line:
    """Gives one way of a line of this shape, at its own rate."""
    return Line(rate, Loss(shape.loss, shape.latency_ms, rng) if shape.loss else None)


@dataclass(slots=True)
class Traffic:
    """What has gone over one client's line."""

    packets_up: int = 0
    bytes_up: int = 0
    packets_down: int = 0
    bytes_down: int = 0
