"""A client's connection to a broker in memory (folkmoot.link.hub)."""

from math import inf
from random import Random
from typing import TYPE_CHECKING

from folkmoot.link.agenda import Action
from folkmoot.link.face import Last
from folkmoot.link.hub_packets import Connack, Delivery, Down, Line, Shape, Up, line
from folkmoot.link.wire import End

if TYPE_CHECKING:
    from folkmoot.link.hub import Hub


def _lines(shape: Shape, rng: Random) -> tuple[Line, Line] | None:
    """Gives both ways of a line of this shape, up and down; None where nothing holds a packet up."""
    if shape.up == shape.down == inf and not shape.loss:
        return None
    return line(shape, shape.up, rng), line(shape, shape.down, rng)


class Circuit:
    """One connection: packets take time, in order unless the adversary says otherwise, and are lost with the connection."""

    __slots__ = (
        "_down",
        "_end",
        "_hub",
        "_lines",
        "_shape",
        "_tally",
        "_up",
        "alive",
        "client",
        "expiry_s",
        "open",
        "receive_maximum",
        "will",
    )

    def __init__(self, hub: "Hub", client: str, end: End) -> None:
        self.client = client
        self.alive = True
        # The broker's: what CONNECT says of the session, and whether CONNACK has arrived.
        self.open = False
        self.will: Last | None = None
        self.receive_maximum = 0
        self.expiry_s: int | None = None  # None: the session ends with the connection
        self._hub = hub
        self._end = end
        self._up = self._down = 0  # ms: when the last packet of each way arrives
        shape = self._shape = hub.shapes.get(client)
        self._lines = None if shape is None else _lines(shape, hub.rng)
        self._tally = hub.tally(client)

    def reshape(self, shape: Shape) -> None:
        """The line is another one for what is sent from now on."""
        self._shape = shape
        if self._lines is None:
            self._lines = _lines(shape, self._hub.rng)
        else:
            self._lines[0].rate, self._lines[1].rate = shape.up, shape.down

    @property
    def sent(self) -> int:
        """When everything that has left the client is at the broker, in ms."""
        return self._up

    def up(self, packet: Up) -> None:
        """Sends a packet to the broker."""
        self._up = self._carry(self._up, 0, self._arrive, packet)

    def down(self, packet: Down) -> None:
        """Sends a packet to the client."""
        self._down = self._carry(self._down, 1, self._reach, packet)

    def deliver(self, packet: Delivery) -> None:
        """Sends a message to the client; it may overtake what was sent before."""
        hub, last = self._hub, self._down
        if hub.adversary is not None and hub.adversary.overtakes(hub.rng):
            last = hub.now
        arrival = self._carry(last, 1, self._reach, packet)
        if arrival > self._down:
            self._down = arrival

    def lose(self, reason: str) -> None:
        """The connection is gone: the client sees it."""
        if self.alive:
            self.alive = False
            self._end.lost(reason)

    def snap(self, reason: str = "connection lost") -> None:
        """Breaks the connection: both ends see it."""
        self._hub.snap(self, reason)

    def _carry(self, last: int, way: int, arrives: Action, packet: Up | Down) -> int:
        """Has a packet arrive that is handed over now, not before `last`; gives when that is. `way`: 0 up, 1 down."""
        hub, adversary, shape, left = self._hub, self._hub.adversary, self._shape, self._hub.agenda.now
        if self._lines is not None:
            left = self._lines[way].leaves(left, packet.size)
        if adversary is None:
            arrival = left + (1 if shape is None else shape.latency_ms)
        else:
            if adversary.cuts(hub.rng):
                arrives = self._break
            arrival = left + (adversary.latency(hub.rng) if shape is None else shape.latency_ms)
        if arrival < last:
            arrival = last
        hub.agenda.at(arrival, arrives, packet)
        return arrival

    def _arrive(self, packet: Up) -> None:
        if self.alive:
            tally = self._tally
            if tally is not None:
                tally.packets_up += 1
                tally.bytes_up += packet.size
            self._hub.take(self, packet)

    def _reach(self, packet: Down) -> None:
        if self.alive:
            tally = self._tally
            if tally is not None:
                tally.packets_down += 1
                tally.bytes_down += packet.size
            self._end.take(packet)
            if type(packet) is Connack:
                self._hub.welcomed(self)

    def _break(self, packet: Up | Down) -> None:
        """The connection breaks where a packet should arrive."""
        self.snap()
