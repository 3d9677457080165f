"""What links and brokers in memory are to one another, whether a connection between them stays in one process or not."""

from random import Random
from typing import Protocol

from folkmoot.link.agenda import Agenda
from folkmoot.link.face import Last
from folkmoot.link.hub_packets import Delivery, Down, Up


class End(Protocol):
    """The link's end of a circuit."""

    def take(self, packet: Down) -> None:
        """Takes what the broker says."""
        ...

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        ...


class Wire(Protocol):
    """The client's end of a connection to somewhere."""

    @property
    def sent(self) -> int:
        """When everything that has left the client is at the broker, in ms."""
        ...

    def up(self, packet: Up) -> None:
        """Sends a packet to the broker."""
        ...

    def snap(self, reason: str = "connection lost") -> None:
        """Breaks the connection."""
        ...


class Network(Protocol):
    """Where a link finds its broker: a Hub, or the way to one that is elsewhere."""

    agenda: Agenda
    rng: Random

    def dial(self, client: str, end: End) -> Wire:
        """Gives a connection that is about to be made."""
        ...

    def parted(self, client: str) -> int | None:
        """Gives when a client that cannot reach the broker now can do so again; None where it can."""
        ...


class Branch(Protocol):
    """The broker's end of a connection."""

    client: str
    open: bool  # CONNACK has arrived
    will: Last | None
    receive_maximum: int
    expiry_s: int | None  # None: the session ends with the connection

    def down(self, packet: Down) -> None:
        """Sends a packet to the client."""
        ...

    def deliver(self, packet: Delivery) -> None:
        """Sends a message to the client; it may overtake what was sent before."""
        ...

    def lose(self, reason: str) -> None:
        """The connection is gone: the client sees it, where it has not been told before."""
        ...
