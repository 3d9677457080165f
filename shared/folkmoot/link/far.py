"""A broker that is in another process, or in another part of one: packets are handed over with the time of their arrival.

What goes to the other side is never due there before `Shape.latency_ms` has passed, so both sides may go on by themselves
for as long as that.
"""

from collections.abc import Callable
from random import Random

from folkmoot.link.agenda import Agenda
from folkmoot.link.face import Last
from folkmoot.link.hub import Hub
from folkmoot.link.hub_packets import Connack, Connect, Delivery, Down, Lost, Shape, Up, line
from folkmoot.link.wire import End

Emit = Callable[[int, int, Up | Down | Lost], None]
"""Hands a packet over: when it arrives in ms, the number of its connection, and itself."""


class Uplink:
    """The client's side: the way to a broker elsewhere (folkmoot.link.wire.Network), of one client."""

    def __init__(self, agenda: Agenda, rng: Random, shape: Shape, emit: Emit) -> None:
        self.agenda = agenda
        self.rng = rng
        self.shape = shape
        self.emit = emit
        self.line = line(shape, shape.up, rng)
        self.away_until: int | None = None  # ms: no connection can be made before
        self._wires: dict[int, _Near] = {}
        self._number = 0

    def dial(self, client: str, end: End) -> "_Near":
        """Gives a connection that is about to be made."""
        self._number += 1
        wire = self._wires[self._number] = _Near(self, self._number, end)
        return wire

    def parted(self, client: str) -> int | None:
        """Gives until when the broker cannot be reached; None where it can."""
        until = self.away_until
        return until if until is not None and until > self.agenda.now else None

    def cut(self, until: int) -> None:
        """Breaks the connection; the next one can be made at `until`."""
        self.away_until = until
        for wire in list(self._wires.values()):
            wire.snap("connection lost")

    def receive(self, number: int, packet: Down | Lost) -> None:
        """Takes what has come from the other side."""
        wire = self._wires.get(number)
        if wire is None:
            return
        if isinstance(packet, Lost):
            self.forget(number)
            wire.end.lost(packet.reason)
        else:
            wire.end.take(packet)

    def forget(self, number: int) -> None:
        """A connection is over."""
        self._wires.pop(number, None)


class _Near:
    """A connection, as the client has it (folkmoot.link.wire.Wire)."""

    def __init__(self, uplink: Uplink, number: int, end: End) -> None:
        self.end = end
        self.sent = 0
        self._uplink = uplink
        self._number = number
        self._alive = True

    def up(self, packet: Up) -> None:
        """Sends a packet to the broker."""
        if not self._alive:
            return
        link = self._uplink
        self.sent = max(self.sent, link.line.leaves(link.agenda.now, packet.size) + link.shape.latency_ms)
        link.emit(self.sent, self._number, packet)

    def snap(self, reason: str = "connection lost") -> None:
        """Breaks the connection."""
        if not self._alive:
            return
        self._alive = False
        link = self._uplink
        link.forget(self._number)
        link.emit(max(self.sent, link.agenda.now + link.shape.latency_ms), self._number, Lost(reason))
        self.end.lost(reason)


class Trunk:
    """The broker's side of one client's uplink."""

    def __init__(self, hub: Hub, client: str, shape: Shape, emit: Emit) -> None:
        self.hub = hub
        self.client = client
        self.shape = shape
        self.emit = emit
        self.line = line(shape, shape.down, hub.rng)
        self._circuits: dict[int, _Far] = {}

    def receive(self, number: int, packet: Up | Lost) -> None:
        """Takes what has come from the other side."""
        if isinstance(packet, Connect):
            self._circuits[number] = _Far(self, number)
        circuit = self._circuits.get(number)
        if circuit is None or not circuit.alive:
            return
        if isinstance(packet, Lost):
            circuit.heard = True
            self.hub.snap(circuit, packet.reason)
        else:
            circuit.arrive(packet)

    def forget(self, number: int) -> None:
        """A connection is over."""
        self._circuits.pop(number, None)


class _Far:
    """A connection, as the broker has it (folkmoot.link.wire.Branch)."""

    def __init__(self, trunk: Trunk, number: int) -> None:
        self.client = trunk.client
        self.alive = True
        self.heard = False  # the client knows already that it is gone
        self.open = False
        self.will: Last | None = None
        self.receive_maximum = 0
        self.expiry_s: int | None = None
        self._trunk = trunk
        self._number = number
        self._last = 0  # ms: when the last packet arrives
        self._tally = trunk.hub.tally(trunk.client)

    def arrive(self, packet: Up) -> None:
        """Hands the broker a packet of the client's."""
        tally = self._tally
        if tally is not None:
            tally.packets_up += 1
            tally.bytes_up += packet.size
        self._trunk.hub.take(self, packet)

    def down(self, packet: Down) -> None:
        """Sends a packet to the client."""
        if not self.alive:
            return
        trunk = self._trunk
        tally = self._tally
        if tally is not None:
            tally.packets_down += 1
            tally.bytes_down += packet.size
        self._last = max(self._last, trunk.line.leaves(trunk.hub.now, packet.size) + trunk.shape.latency_ms)
        trunk.emit(self._last, self._number, packet)
        if isinstance(packet, Connack):
            trunk.hub.at(self._last, trunk.hub.welcomed, self)

    def deliver(self, packet: Delivery) -> None:
        """Sends a message to the client."""
        self.down(packet)

    def lose(self, reason: str) -> None:
        """The connection is gone: the client is told, where it does not know."""
        if not self.alive:
            return
        self.alive = False
        trunk = self._trunk
        trunk.forget(self._number)
        if not self.heard:
            trunk.emit(max(self._last, trunk.hub.now + trunk.shape.latency_ms), self._number, Lost(reason))
