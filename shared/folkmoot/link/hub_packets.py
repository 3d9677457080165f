"""What a client and a broker in memory say to one another: MQTT's packets, as far as a link means something by them."""

from dataclasses import dataclass
from math import inf

from folkmoot.link.face import Last, Session
from folkmoot.link.rules import publish_size

CONTROL = 4  # bytes of an acknowledgement
SETUP = 120  # about the bytes of a packet that sets a session up


@dataclass(frozen=True, slots=True)
class Connect:
    """CONNECT."""

    session: Session
    will: Last | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE to all `filters`, or to `added` among them and UNSUBSCRIBE from all others."""

    filters: tuple[str, ...]
    added: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """PUBLISH of a client, with the number that its acknowledgement names."""

    number: int
    topic: str
    payload: bytes
    retain: bool
    qos: int
    expiry_s: int | None


@dataclass(frozen=True, slots=True)
class Puback:
    """PUBACK of a client for the delivery that `token` names."""

    token: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """DISCONNECT, behind a last word."""

    goodbye: Last | None


Up = Connect | Subscribe | Publish | Puback | Disconnect


@dataclass(frozen=True, slots=True)
class Connack:
    """CONNACK."""

    resumed: bool


@dataclass(frozen=True, slots=True)
class Suback:
    """SUBACK."""

    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """PUBLISH of the broker; without a token it wants no acknowledgement."""

    topic: str
    payload: bytes
    retained: bool
    token: int | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """PUBACK of the broker; `heard`: somebody has subscribed to it."""

    number: int
    heard: bool


Down = Connack | Suback | Delivery | Accepted


@dataclass(frozen=True, slots=True)
class Lost:
    """No packet: the other end has seen the connection break."""

    reason: str


def size(packet: Up | Down | Lost) -> int:
    """Gives the bytes of a packet."""
    match packet:
        case Publish(_, topic, payload, _, qos, expiry_s):
            return publish_size(topic, payload, qos=qos, expires=expiry_s is not None, v5=True)
        case Delivery(topic, payload, _, token):
            return publish_size(topic, payload, qos=0 if token is None else 1, expires=False, v5=True)
        case Connect() | Subscribe():
            return SETUP
        case Lost():
            return 0
        case _:
            return CONTROL


@dataclass(frozen=True, slots=True)
class Shape:
    """How fast a client's line is."""

    latency_ms: int = 1  # one way
    up: float = inf  # bytes per ms
    down: float = inf


class Line:
    """One way of a line: packets leave one after another."""

    def __init__(self, rate: float) -> None:
        """`rate` in bytes per ms."""
        self._rate = rate
        self._free = 0.0  # ms: when the last one has left

    def leaves(self, now: int, packet: Up | Down) -> int:
        """Gives when a packet's last byte has left that is handed over now, in ms."""
        self._free = max(self._free, float(now)) + size(packet) / self._rate
        return -int(-self._free // 1)


@dataclass(slots=True)
class Traffic:
    """What has gone over one client's line."""

    packets_up: int = 0
    bytes_up: int = 0
    packets_down: int = 0
    bytes_down: int = 0

    def add(self, packet: Up | Down, *, up: bool) -> None:
        """Counts a packet."""
        if up:
            self.packets_up += 1
            self.bytes_up += size(packet)
        else:
            self.packets_down += 1
            self.bytes_down += size(packet)
