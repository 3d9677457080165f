"""A broker in memory and the network around it, on time that the caller moves: nothing happens that a seed does not decide.

It keeps MQTT's promises as far as real brokers do (retained messages, wills, sessions that outlive a connection, receive
maximum, redelivery of what was not acknowledged, a queue that drops in silence) and breaks whatever its Adversary says.
"""

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

from paho.mqtt.matcher import MQTTMatcher

from folkmoot.link.adversary import Adversary
from folkmoot.link.agenda import Action, Agenda
from folkmoot.link.face import Last, Session
from folkmoot.link.hub_packets import (
    Accepted,
    Connack,
    Connect,
    Delivery,
    Disconnect,
    Down,
    Line,
    Puback,
    Publish,
    Shape,
    Suback,
    Subscribe,
    Traffic,
    Up,
)
from folkmoot.link.rules import matches
from folkmoot.link.wire import Branch, End

QUEUE = 1_000  # messages that wait for one client before more are dropped in silence: Mosquitto's default


class Hub:
    """The broker. Equal seeds, adversaries and calls give equal runs."""

    def __init__(
        self, rng: Random, adversary: Adversary | None = None, *, agenda: Agenda | None = None, queue: int = QUEUE
    ) -> None:
        """`agenda`: where several brokers and more besides have one time."""
        self.agenda = agenda or Agenda()
        self.rng = rng
        self.adversary = adversary or Adversary()
        self.dropped = 0  # messages that a queue had no room for
        self.away: dict[str, int] = {}  # client to when it can reach the broker again, in ms
        self.shapes: dict[str, Shape] = {}  # of clients with a line of their own; the others' is the adversary's
        self.traffic: dict[str, Traffic] | None = None  # by client, where somebody wants to know
        self._queue = queue
        self._serial = 0
        self._seats: dict[str, _Seat] = {}
        self._matcher = _matcher()
        self._retained: dict[str, bytes] = {}
        self._topics: list[str] = []  # those of `_retained`, in order
        for part in self.adversary.partitions:
            for client in sorted(part.clients):
                self._plan(part.start, client)

    def _plan(self, start: int, client: str) -> None:
        self.at(start, lambda: self.cut(client, "partitioned"))

    # ---- time

    @property
    def now(self) -> int:
        """The time, in ms."""
        return self.agenda.now

    def at(self, time: int, action: Action) -> None:
        """Has `action` done at `time`, behind what is due then already."""
        self.agenda.at(time, action)

    def serial(self) -> int:
        """Gives a number that no other call gives."""
        self._serial += 1
        return self._serial

    # ---- misfortune

    def cut(self, client: str, reason: str = "connection lost") -> None:
        """Breaks a client's connection, where it has one: both ends see it, and its will is due."""
        seat = self._seats.get(client)
        if seat and seat.circuit:
            self._lose(seat, seat.circuit, reason)

    def snap(self, circuit: Branch, reason: str = "connection lost") -> None:
        """Breaks one connection, also one that the broker has not taken yet."""
        seat = self._seats.get(circuit.client)
        if seat and seat.circuit is circuit:
            self._lose(seat, circuit, reason)
        else:
            circuit.lose(reason)

    def restart(self, *, remember: bool = False) -> None:
        """Ends the broker and starts it again, with all it knew or with nothing; wills are not sent."""
        for seat in self._seats.values():
            if seat.circuit:
                seat.circuit.will = None
                self._lose(seat, seat.circuit, "broker restarted")
        if not remember:
            self._seats.clear()
            self._matcher = _matcher()
            self._retained.clear()
            self._topics.clear()

    # ---- what circuits bring

    def dial(self, client: str, end: End) -> "Circuit":
        """Gives a circuit for a connection that is about to be made."""
        return Circuit(self, client, end)

    def parted(self, client: str) -> int | None:
        """Gives when a client that cannot reach the broker now can do so again; None where it can."""
        until = self.away.get(client, 0)
        return until if until > self.now else self.adversary.parted(client, self.now)

    def leave(self, client: str, until: int) -> None:
        """Keeps a client away until then."""
        self.away[client] = until
        self.cut(client)

    def count(self, client: str, packet: Up | Down, *, up: bool) -> None:
        """Counts a packet."""
        if self.traffic is not None:
            self.traffic.setdefault(client, Traffic()).add(packet, up=up)

    def take(self, circuit: Branch, packet: Up) -> None:
        """Takes what a client says."""
        self.count(circuit.client, packet, up=True)
        match packet:
            case Connect(session, will):
                self._connect(circuit, session, will)
            case Subscribe(filters, added):
                self._subscribe(self._seats[circuit.client], filters, added)
                circuit.down(Suback(filters))
            case Publish(number, topic, payload, retain, qos, expiry_s):
                heard = self.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)
                circuit.down(Accepted(number, heard))
            case Puback(token):
                seat = self._seats[circuit.client]
                seat.flying.pop(token, None)
                self._pump(seat)
            case Disconnect(goodbye):
                if goodbye:
                    self.publish(goodbye.topic, goodbye.payload, qos=1, retain=goodbye.retain)
                circuit.will = None
                self._lose(self._seats[circuit.client], circuit, "disconnected")

    def _connect(self, circuit: Branch, session: Session, will: Last | None) -> None:
        seat = self._seats.get(circuit.client)
        if seat and seat.circuit:
            self._lose(seat, seat.circuit, "Session taken over")
        resumed = bool(seat and session.keep and self.now < seat.expires)
        if seat is None or not resumed:
            if seat is not None:
                self._listen(seat, ())
            seat = self._seats[circuit.client] = _Seat(self.serial())
        circuit.will, circuit.receive_maximum = will, session.receive_maximum
        circuit.expiry_s = session.expiry_s if session.keep else None
        seat.circuit = circuit
        seat.waiting.extendleft(reversed(seat.flying.values()))
        seat.flying.clear()
        circuit.down(Connack(resumed))

    def welcomed(self, circuit: Branch) -> None:
        """CONNACK has arrived: what waits may follow."""
        seat = self._seats.get(circuit.client)
        if seat is not None and seat.circuit is circuit:
            circuit.open = True
            self._pump(seat)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool, expiry_s: int | None = None) -> bool:
        """Routes a message to everybody who has subscribed; says whether anybody has."""
        if retain:
            self._retain(topic, payload)
        stale = None if expiry_s is None else self.now + 1_000 * expiry_s
        heard = False
        seats = {number: seat for found in self._matcher.iter_match(topic) for number, seat in found.items()}
        for _, seat in sorted(seats.items()):
            if seat.circuit or (qos and self.now < seat.expires):
                heard = True
                self._offer(seat, _Packet(topic, payload, qos, stale=stale))
                self._pump(seat)
        return heard

    # ---- what the broker does with it

    def _subscribe(self, seat: "_Seat", filters: tuple[str, ...], added: tuple[str, ...] | None) -> None:
        self._listen(seat, filters)
        fresh = seat.filters if added is None else added
        for topic in sorted({topic for pattern in fresh for topic in self._remembered(pattern)}):
            self._offer(seat, _Packet(topic, self._retained[topic], qos=1, retained=True))
        self._pump(seat)

    def _listen(self, seat: "_Seat", filters: tuple[str, ...]) -> None:
        """Has a client hear what these filters say, and nothing else."""
        for pattern in seat.filters:
            del self._matcher[pattern][seat.number]
            if not self._matcher[pattern]:
                del self._matcher[pattern]
        seat.filters = tuple(dict.fromkeys(filters))
        for pattern in seat.filters:
            try:
                self._matcher[pattern][seat.number] = seat
            except KeyError:
                self._matcher[pattern] = {seat.number: seat}

    def _remembered(self, pattern: str) -> list[str]:
        """Gives the topics of the retained messages that a filter is about: all of them begin as it does."""
        start = pattern[: min(at for at in (pattern.find("+"), pattern.find("#"), len(pattern)) if at >= 0)]
        found = []
        for at in range(bisect_left(self._topics, start), len(self._topics)):
            topic = self._topics[at]
            if not topic.startswith(start):
                break
            if matches(pattern, topic):
                found.append(topic)
        return found

    def _retain(self, topic: str, payload: bytes) -> None:
        known = topic in self._retained
        if payload:
            self._retained[topic] = payload
            if not known:
                insort(self._topics, topic)
        elif known:
            del self._retained[topic]
            self._topics.remove(topic)

    def _offer(self, seat: "_Seat", packet: "_Packet") -> None:
        """Queues a message for a client that has subscribed to it."""
        again = self.adversary.lingers(self.rng)
        if again is not None:
            self.at(self.now + again, lambda: self._haunt(seat, packet))
        for payload in self.adversary.copies(packet.payload, self.rng):
            if len(seat.waiting) < self._queue:
                seat.waiting.append(_Packet(packet.topic, payload, packet.qos, packet.retained, packet.stale))
            else:
                self.dropped += 1

    def _haunt(self, seat: "_Seat", packet: "_Packet") -> None:
        """Queues a message once more that was delivered long ago."""
        seat.waiting.append(packet)
        self._pump(seat)

    def _pump(self, seat: "_Seat") -> None:
        """Sends what waits, as far as the client's receive maximum goes."""
        circuit = seat.circuit
        while circuit and circuit.open and seat.waiting and len(seat.flying) < circuit.receive_maximum:
            packet = seat.waiting.popleft()
            if packet.stale is None or self.now < packet.stale:
                token = self.serial() if packet.qos else None
                if token:
                    seat.flying[token] = packet
                circuit.deliver(Delivery(packet.topic, packet.payload, packet.retained, token))

    def _lose(self, seat: "_Seat", circuit: Branch, reason: str) -> None:
        seat.circuit = None
        seat.expires = 0 if circuit.expiry_s is None else self.now + 1_000 * circuit.expiry_s
        will = circuit.will
        if will:
            self.at(self.now + 1_000 * will.delay_s, lambda: self._mourn(seat, will))
        circuit.lose(reason)

    def _mourn(self, seat: "_Seat", will: Last) -> None:
        """Publishes a will; one that may wait is void where the client has come back meanwhile."""
        if not (will.delay_s and seat.circuit):
            self.publish(will.topic, will.payload, qos=1, retain=will.retain)


def _matcher() -> Any:
    """Gives a map from a filter to the seats that have subscribed to it, by number, which finds those of a topic."""
    return MQTTMatcher()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class _Packet:
    topic: str
    payload: bytes
    qos: int
    retained: bool = False
    stale: int | None = None  # ms: not delivered from then on


@dataclass(slots=True)
class _Seat:
    """What the broker keeps of one client."""

    number: int  # of the session
    filters: tuple[str, ...] = ()
    circuit: Branch | None = None  # while connected
    waiting: deque[_Packet] = field(default_factory=deque)
    flying: dict[int, _Packet] = field(default_factory=dict)  # token to what was sent and not acknowledged, in order
    expires: int = 0  # ms; while not connected


class Circuit:
    """One connection: packets take time, in order unless the adversary says otherwise, and are lost with the connection."""

    def __init__(self, hub: Hub, client: str, end: End) -> None:
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
        self._lines = None if shape is None else (Line(shape.up), Line(shape.down))

    @property
    def sent(self) -> int:
        """When everything that has left the client is at the broker, in ms."""
        return self._up

    def up(self, packet: Up) -> None:
        """Sends a packet to the broker."""
        left = self._hub.now if self._lines is None else self._lines[0].leaves(self._hub.now, packet)
        self._up = self._carry(self._up, left, lambda: self._hub.take(self, packet))

    def down(self, packet: Down) -> None:
        """Sends a packet to the client."""
        self._down = self._carry(self._down, self._leaves(packet), lambda: self._reach(packet))

    def deliver(self, packet: Delivery) -> None:
        """Sends a message to the client; it may overtake what was sent before."""
        hub = self._hub
        last = hub.now if hub.adversary.overtakes(hub.rng) else self._down
        arrival = self._carry(last, self._leaves(packet), lambda: self._reach(packet))
        self._down = max(self._down, arrival)

    def lose(self, reason: str) -> None:
        """The connection is gone: the client sees it."""
        if self.alive:
            self.alive = False
            self._end.lost(reason)

    def snap(self, reason: str = "connection lost") -> None:
        """Breaks the connection: both ends see it."""
        self._hub.snap(self, reason)

    def _leaves(self, packet: Down) -> int:
        return self._hub.now if self._lines is None else self._lines[1].leaves(self._hub.now, packet)

    def _reach(self, packet: Down) -> None:
        self._hub.count(self.client, packet, up=False)
        if isinstance(packet, Connack):
            self._end.take(packet)
            self._hub.welcomed(self)
        else:
            self._end.take(packet)

    def _carry(self, last: int, left: int, action: Action) -> int:
        """Has `action` done when a packet arrives that has `left` by then, not before `last`; gives when that is."""
        hub = self._hub
        snaps = hub.adversary.cuts(hub.rng)
        latency = hub.adversary.latency(hub.rng) if self._shape is None else self._shape.latency_ms
        arrival = max(last, left + latency)
        hub.at(arrival, lambda: self._arrive(action, snaps))
        return arrival

    def _arrive(self, action: Action, snaps: bool) -> None:
        if snaps or self._hub.parted(self.client) is not None:
            self._hub.snap(self)
        elif self.alive:
            action()
