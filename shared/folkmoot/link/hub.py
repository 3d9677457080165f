"""A broker in memory and the network around it, on time that the caller moves: nothing happens that a seed does not decide.

It keeps MQTT's promises as far as real brokers do (retained messages, wills, sessions that outlive a connection, receive
maximum, redelivery of what was not acknowledged, a queue that drops in silence) and breaks whatever its Adversary says.
"""

from bisect import bisect_left, insort
from collections import deque
from random import Random
from typing import Any

import msgspec

from folkmoot.link.adversary import Adversary
from folkmoot.link.agenda import Action, Agenda
from folkmoot.link.circuit import Circuit
from folkmoot.link.face import Last, Session
from folkmoot.link.hub_packets import (
    Accepted,
    Connack,
    Connect,
    Delivery,
    Disconnect,
    Puback,
    Publish,
    Shape,
    Suback,
    Subscribe,
    Traffic,
    Up,
)
from folkmoot.link.rules import matches, publish_size
from folkmoot.link.subscribers import Subscribers
from folkmoot.link.wire import Branch, End

QUEUE = 1_000  # messages that wait for one client before more are dropped in silence: Mosquitto's default
ROUTES = 4_096  # topics whose subscribers are remembered


class Hub:
    """The broker. Equal seeds, adversaries and calls give equal runs."""

    def __init__(
        self, rng: Random, adversary: Adversary | None = None, *, agenda: Agenda | None = None, queue: int = QUEUE
    ) -> None:
        """`adversary`: None does no harm; `agenda`: where several brokers and more besides have one time."""
        self.agenda = agenda or Agenda()
        self.rng = rng
        self.adversary = adversary
        self.dropped = 0  # messages that a queue had no room for
        self.away: dict[str, int] = {}  # client to when it can reach the broker again, in ms
        self.shapes: dict[str, Shape] = {}  # of clients with a line of their own; the others' is the adversary's
        self.traffic: dict[str, Traffic] | None = None  # by client, where somebody wants to know
        self._queue = queue
        self._serial = 0
        self._seats: dict[str, _Seat] = {}
        self._subscribers: Subscribers[_Seat] = Subscribers()
        self._routes: dict[str, tuple[_Seat, ...]] = {}  # topic to who has subscribed to it, by number
        self._retained: dict[str, bytes] = {}
        self._topics: list[str] = []  # those of `_retained`, in order
        for part in adversary.partitions if adversary else ():
            for client in sorted(part.clients):
                self.at(part.start, self.cut, client, "partitioned")

    # ---- time

    @property
    def now(self) -> int:
        """The time, in ms."""
        return self.agenda.now

    def at(self, time: int, action: Action, *given: Any) -> None:
        """Has `action(*given)` done at `time`, behind what is due then already."""
        self.agenda.at(time, action, *given)

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
            self._subscribers = Subscribers()
            self._routes.clear()
            self._retained.clear()
            self._topics.clear()

    # ---- what circuits bring

    def dial(self, client: str, end: End) -> Circuit:
        """Gives a circuit for a connection that is about to be made."""
        return Circuit(self, client, end)

    def parted(self, client: str) -> int | None:
        """Gives when a client that cannot reach the broker now can do so again; None where it can."""
        until = self.away.get(client, 0)
        if until > self.now:
            return until
        return self.adversary.parted(client, self.now) if self.adversary else None

    def leave(self, client: str, until: int) -> None:
        """Keeps a client away until then."""
        self.away[client] = until
        self.cut(client)

    def reshape(self, client: str, shape: Shape) -> None:
        """Gives a client's line another rate, from its next packet on."""
        self.shapes[client] = shape
        seat = self._seats.get(client)
        if seat is not None and isinstance(seat.circuit, Circuit):
            seat.circuit.reshape(shape)

    def tally(self, client: str) -> Traffic | None:
        """Gives where a client's packets are counted, where somebody wants to know."""
        return None if self.traffic is None else self.traffic.setdefault(client, Traffic())

    def take(self, circuit: Branch, packet: Up) -> None:
        """Takes what a client says."""
        match packet:
            case Publish(number, topic, payload, retain, qos, expiry_s):
                heard = self.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)
                circuit.down(Accepted(number, heard))
            case Puback(token):
                seat = self._seats[circuit.client]
                seat.flying.pop(token, None)
                if seat.waiting:
                    self._pump(seat)
            case Connect(session, will):
                if self.parted(circuit.client) is None:
                    self._connect(circuit, session, will)
                else:
                    self.snap(circuit)
            case Subscribe(filters, added):
                self._subscribe(self._seats[circuit.client], filters, added)
                circuit.down(Suback(filters))
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
        if isinstance(circuit, Circuit) and (shape := self.shapes.get(circuit.client)) is not None:
            circuit.reshape(shape)  # it may have changed since the client has dialled
        circuit.will, circuit.receive_maximum = will, session.receive_maximum
        circuit.expiry_s = session.expiry_s if session.keep else None
        seat.circuit = circuit
        if seat.flying:
            seat.waiting = deque((*seat.flying.values(), *(seat.waiting or ())))
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
        now = self.now
        packet = _packet(topic, payload, qos, None if expiry_s is None else now + 1_000 * expiry_s)
        heard = False
        for seat in self._route(topic):
            if seat.circuit or (qos and now < seat.expires):
                heard = True
                self._offer(seat, packet)
                self._pump(seat)
        return heard

    def _route(self, topic: str) -> tuple["_Seat", ...]:
        """Gives who has subscribed to a topic, in the order of their sessions."""
        route = self._routes.get(topic)
        if route is None:
            seats = {number: seat for found in self._subscribers.of(topic) for number, seat in found.items()}
            route = tuple(seat for _, seat in sorted(seats.items()))
            if len(self._routes) >= ROUTES:
                self._routes.clear()
            self._routes[topic] = route
        return route

    # ---- what the broker does with it

    def _subscribe(self, seat: "_Seat", filters: tuple[str, ...], added: tuple[str, ...] | None) -> None:
        self._listen(seat, filters)
        fresh = seat.filters if added is None else added
        for topic in sorted({topic for pattern in fresh for topic in self._remembered(pattern)}):
            self._offer(seat, _packet(topic, self._retained[topic], 1, retained=True))
        self._pump(seat)

    def _listen(self, seat: "_Seat", filters: tuple[str, ...]) -> None:
        """Has a client hear what these filters say, and nothing else."""
        self._routes.clear()
        for pattern in seat.filters:
            self._subscribers.remove(pattern, seat.number)
        seat.filters = tuple(dict.fromkeys(filters))
        for pattern in seat.filters:
            self._subscribers.add(pattern, seat.number, seat)

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
        for one in (packet,) if self.adversary is None else self._harmed(seat, packet, self.adversary):
            if seat.waiting is None:
                seat.waiting = deque()
            if len(seat.waiting) < self._queue:
                seat.waiting.append(one)
            else:
                self.dropped += 1

    def _harmed(self, seat: "_Seat", packet: "_Packet", adversary: Adversary) -> list["_Packet"]:
        again = adversary.lingers(self.rng)
        if again is not None:
            self.at(self.now + again, self._haunt, seat, packet)
        copies = adversary.copies(packet.payload, self.rng)
        return [_packet(packet.topic, payload, packet.qos, packet.stale, packet.retained) for payload in copies]

    def _haunt(self, seat: "_Seat", packet: "_Packet") -> None:
        """Queues a message once more that was delivered long ago."""
        seat.waiting = seat.waiting or deque()
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
                circuit.deliver(Delivery(packet.topic, packet.payload, packet.retained, token, packet.size))
        if not seat.waiting:
            seat.waiting = None

    def _lose(self, seat: "_Seat", circuit: Branch, reason: str) -> None:
        seat.circuit = None
        seat.expires = 0 if circuit.expiry_s is None else self.now + 1_000 * circuit.expiry_s
        will = circuit.will
        if will:
            self.at(self.now + 1_000 * will.delay_s, self._mourn, seat, will)
        circuit.lose(reason)

    def _mourn(self, seat: "_Seat", will: Last) -> None:
        """Publishes a will; one that may wait is void where the client has come back meanwhile."""
        if not (will.delay_s and seat.circuit):
            self.publish(will.topic, will.payload, qos=1, retain=will.retain)


class _Packet(msgspec.Struct, frozen=True, gc=False):
    topic: str
    payload: bytes
    qos: int
    stale: int | None  # ms: not delivered from then on
    retained: bool
    size: int  # bytes of its PUBLISH


def _packet(topic: str, payload: bytes, qos: int, stale: int | None = None, retained: bool = False) -> _Packet:
    return _Packet(topic, payload, qos, stale, retained, publish_size(topic, payload, qos=qos, expires=False, v5=True))


class _Seat:
    """What the broker keeps of one client."""

    __slots__ = ("circuit", "expires", "filters", "flying", "number", "waiting")

    def __init__(self, number: int) -> None:
        self.number = number  # of the session
        self.filters: tuple[str, ...] = ()
        self.circuit: Branch | None = None  # while connected
        self.waiting: deque[_Packet] | None = None  # there only while something waits: an empty one takes 624 bytes
        self.flying: dict[int, _Packet] = {}  # token to what was sent and not acknowledged, in order
        self.expires = 0  # ms; while not connected
