"""What a client and a broker in memory say to one another: MQTT's packets, as far as a link means something by them."""

from dataclasses import dataclass

from folkmoot.link.face import Last, Session


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
