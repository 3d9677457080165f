"""What every link does, whatever carries its messages: the values and the Protocol that all links have.

A link keeps one session with one broker. Messages go in by `send`, everything that happens comes out as events through one
sink, which only puts them in a queue. The link never stores: a message stays in its sender's outbox until `Published`, and
beyond that until the receiver's receipt, because a broker may lose what it has acknowledged.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

import msgspec

Key = Hashable
"""Names a message to its sender, such as the row of its outbox."""
Token = Hashable
"""Names an arrived message to the link; opaque to everybody else."""


@dataclass(frozen=True, slots=True)
class Last:
    """A last word, with QoS 1: said by us as a goodbye, or by the broker as our will."""

    topic: str
    payload: bytes
    retain: bool = True
    delay_s: int = 0  # of a will: how long the broker waits for our return (MQTT 3.1.1: not at all)


@dataclass(frozen=True, slots=True)
class Session:
    """What a link asks of its broker. The defaults are a device's (docs/protocol.md, Numbers)."""

    client: str  # stable: the broker keeps the session under this name
    filters: tuple[str, ...] = ()  # with QoS 1, which gives a message published with QoS 0 as that; may hold + and #
    former: tuple[str, ...] = ()  # what an earlier process may have subscribed to in this session, and we do not
    will: Callable[[], Last] | None = None
    """Called before each attempt to connect: a will names the birth counter, which has grown durably by then."""
    keep: bool = True  # the broker queues for us while we are away
    expiry_s: int = 86_400  # how long it does so; MQTT 5 only
    keepalive_s: int = 60
    receive_maximum: int = 4  # arrived messages that wait for their `ack`, after which the broker holds back
    window: int = 4  # publishes on their way at once; the broker may grant fewer
    max_packet: int = 262_144  # bytes; we neither take nor send a larger packet, the broker may allow less


class Limits(msgspec.Struct, frozen=True):
    """What the broker has granted."""

    window: int  # publishes on their way at once
    max_packet: int  # bytes of a packet: topic and properties included


class Connected(msgspec.Struct, frozen=True):
    """The broker has taken us, and our subscriptions stand ahead of whatever is sent next."""

    resumed: bool  # False: the broker knew no session, so whatever it had queued for us is gone
    limits: Limits


class Disconnected(msgspec.Struct, frozen=True):
    """The connection is gone. Whatever was sent and neither Published nor Failed must be sent again."""

    reason: str
    unsettled: tuple[Key, ...]  # in the order of sending


class Unreachable(msgspec.Struct, frozen=True):
    """An attempt to connect has failed; the next one comes by itself."""

    reason: str
    lasting: bool  # somebody has to change something: wrong password, not authorised, certificate not trusted


class Arrived(msgspec.Struct, frozen=True):
    """A message for us. It comes again after a reconnect unless `ack` was called with its token."""

    topic: str
    payload: bytes
    retained: bool  # from the broker's memory, not just published
    token: Token


class Published(msgspec.Struct, frozen=True):
    """The broker has acknowledged a message; with QoS 0, it is written. This is not delivery."""

    key: Key
    heard: bool = True  # False: the broker says that nobody is subscribed


class Failed(msgspec.Struct, frozen=True):
    """A message was refused, by the broker or by a limit that we know; sent again, it will be refused again."""

    key: Key
    reason: str


class Denied(msgspec.Struct, frozen=True):
    """The broker does not let us subscribe."""

    filter: str
    reason: str


class Stopped(msgspec.Struct, frozen=True):
    """The last event of a link."""


Event = Connected | Disconnected | Unreachable | Arrived | Published | Failed | Denied | Stopped
Sink = Callable[[Event], None]
"""Takes events, in order, on one thread; puts them in a queue and returns."""

TOO_LARGE = "Packet too large"  # the name of MQTT 5's reason code 0x95, which a broker would disconnect us with


class Link(Protocol):
    """One session with one broker, kept up for as long as the link runs."""

    def start(self) -> None:
        """Connects, and connects again whenever the connection is lost, until `stop`."""
        ...

    @property
    def free(self) -> int:
        """How many messages `send` would take now; 0 where there is no connection."""
        ...

    def send(
        self, key: Key, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1, expiry_s: int | None = None
    ) -> bool:
        """Takes a message unless `free` is 0, and says so; then exactly one of Published, Failed or Disconnected follows.

        Where it says False, try again after the next Connected, Published or Failed. `qos` is 0 or 1, never 2, which AWS IoT
        Core, Azure Event Grid and RabbitMQ do not have. A broker that speaks MQTT 5 drops a message that has waited for
        `expiry_s` seconds.
        """
        ...

    def ack(self, token: Token) -> None:
        """Tells the broker that an arrived message is durably ours, in the order of arrival [MQTT-4.6.0-2].

        Call it after the commit: what is not acknowledged holds the broker back. A token of an earlier connection is
        ignored, for the broker delivers that message again.
        """
        ...

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Subscribes to `filters` in the place of those of the session, now or with the next connection.

        What is new is subscribed to before what is old is given up, so nothing that both say is missed; where an old filter
        and a new one overlap, a message may come twice meanwhile.
        """
        ...

    def stop(self, goodbye: Last | None = None) -> None:
        """Publishes `goodbye` where there is a connection, disconnects without a will, and ends with Stopped."""
        ...
