"""A broker in memory and the network around it, on time that the caller moves: nothing happens that a seed does not decide.

It keeps MQTT's promises as far as real brokers do (retained messages, wills, sessions that outlive a connection, receive
maximum, redelivery of what was not acknowledged, a queue that drops in silence) and breaks whatever its Adversary says.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from folkmoot.link.adversary import Adversary
from folkmoot.link.face import Last, Session
from folkmoot.link.rules import matches

QUEUE = 1_000  # messages that wait for one client before more are dropped in silence: Mosquitto's default
Action = Callable[[], None]


class Hub:
    """The broker, and the time of everybody who is joined to it."""

    def __init__(self, rng: Random, adversary: Adversary | None = None, *, now: int = 0, queue: int = QUEUE) -> None:
        """`now` in ms. Equal seeds, adversaries and calls give equal runs."""
        self.now = now
        self.rng = rng
        self.adversary = adversary or Adversary()
        self.dropped = 0  # messages that a queue had no room for
        self._queue = queue
        self._due: list[tuple[int, int, Action]] = []
        self._serial = 0
        self._seats: dict[str, _Seat] = {}
        self._retained: dict[str, bytes] = {}
        for part in self.adversary.partitions:
            for client in sorted(part.clients):
                self._plan(part.start, client)

    def _plan(self, start: int, client: str) -> None:
        self.at(start, lambda: self.cut(client, "partitioned"))

    # ---- time

    @property
    def wake(self) -> int | None:
        """When the next thing happens, in ms; None: nothing will, until somebody sends."""
        return self._due[0][0] if self._due else None

    def at(self, time: int, action: Action) -> None:
        """Has `action` done at `time`, behind what is due then already."""
        heapq.heappush(self._due, (max(time, self.now), self.serial(), action))

    def run(self, now: int) -> None:
        """Does all that is due until `now`, in order, and leaves the time there."""
        while self._due and self._due[0][0] <= now:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = max(self.now, now)

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

    def snap(self, circuit: "Circuit", reason: str = "connection lost") -> None:
        """Breaks one connection, also one that the broker has not taken yet."""
        seat = self._seats.get(circuit.session.client)
        if seat and seat.circuit is circuit:
            self._lose(seat, circuit, reason)
        elif circuit.alive:
            circuit.alive = False
            circuit.client.lost(reason)

    def restart(self, *, remember: bool = False) -> None:
        """Ends the broker and starts it again, with all it knew or with nothing; wills are not sent."""
        for seat in self._seats.values():
            if seat.circuit:
                seat.circuit.will = None
                self._lose(seat, seat.circuit, "broker restarted")
        if not remember:
            self._seats.clear()
            self._retained.clear()

    # ---- what circuits bring

    def connect(self, circuit: "Circuit") -> None:
        """Takes a CONNECT."""
        session = circuit.session
        seat = self._seats.get(session.client)
        if seat and seat.circuit:
            self._lose(seat, seat.circuit, "Session taken over")
        resumed = bool(seat and session.keep and self.now < seat.expires)
        if seat is None or not resumed:
            seat = self._seats[session.client] = _Seat()
        seat.circuit = circuit
        seat.waiting.extendleft(reversed(seat.flying.values()))
        seat.flying.clear()
        circuit.down(lambda: self._welcome(seat, circuit, resumed))

    def _welcome(self, seat: "_Seat", circuit: "Circuit", resumed: bool) -> None:
        circuit.open = True
        circuit.client.taken(resumed)
        self._pump(seat)

    def subscribe(self, circuit: "Circuit", added: tuple[str, ...] | None = None) -> None:
        """Takes a SUBSCRIBE to all filters of the session, or to `added` among them and an UNSUBSCRIBE from all others."""
        seat = self._seats[circuit.session.client]
        seat.filters = circuit.session.filters
        fresh = seat.filters if added is None else added
        for topic in sorted(self._retained):
            if not any(matches(pattern, topic) for pattern in fresh):
                continue
            self._offer(seat, _Packet(topic, self._retained[topic], qos=1, retained=True))
        self._pump(seat)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool, expiry_s: int | None = None) -> bool:
        """Routes a message to everybody who has subscribed; says whether anybody has."""
        if retain:
            self._retained[topic] = payload
            if not payload:
                del self._retained[topic]
        stale = None if expiry_s is None else self.now + 1_000 * expiry_s
        heard = False
        for seat in self._seats.values():
            if seat.circuit or (qos and self.now < seat.expires):
                heard |= self._offer(seat, _Packet(topic, payload, qos, stale=stale))
                self._pump(seat)
        return heard

    def acknowledge(self, circuit: "Circuit", token: int) -> None:
        """Takes a PUBACK."""
        seat = self._seats[circuit.session.client]
        seat.flying.pop(token, None)
        self._pump(seat)

    def disconnect(self, circuit: "Circuit") -> None:
        """Takes a DISCONNECT: the will is forgotten."""
        circuit.will = None
        self._lose(self._seats[circuit.session.client], circuit, "disconnected")

    # ---- what the broker does with it

    def _offer(self, seat: "_Seat", packet: "_Packet") -> bool:
        """Queues a message for a client that has subscribed to it; says whether it has."""
        if not any(matches(pattern, packet.topic) for pattern in seat.filters):
            return False
        again = self.adversary.lingers(self.rng)
        if again is not None:
            self.at(self.now + again, lambda: self._haunt(seat, packet))
        for payload in self.adversary.copies(packet.payload, self.rng):
            if len(seat.waiting) < self._queue:
                seat.waiting.append(_Packet(packet.topic, payload, packet.qos, packet.retained, packet.stale))
            else:
                self.dropped += 1
        return True

    def _haunt(self, seat: "_Seat", packet: "_Packet") -> None:
        """Queues a message once more that was delivered long ago."""
        seat.waiting.append(packet)
        self._pump(seat)

    def _pump(self, seat: "_Seat") -> None:
        """Sends what waits, as far as the client's receive maximum goes."""
        circuit = seat.circuit
        while circuit and circuit.open and seat.waiting and len(seat.flying) < circuit.session.receive_maximum:
            packet = seat.waiting.popleft()
            if packet.stale is None or self.now < packet.stale:
                token = self.serial() if packet.qos else None
                if token:
                    seat.flying[token] = packet
                circuit.deliver(packet.topic, packet.payload, packet.retained, token)

    def _lose(self, seat: "_Seat", circuit: "Circuit", reason: str) -> None:
        seat.circuit = None
        seat.expires = self.now + 1_000 * circuit.session.expiry_s if circuit.session.keep else 0
        circuit.alive = False
        will = circuit.will
        if will:
            self.at(self.now + 1_000 * will.delay_s, lambda: self._mourn(seat, will))
        circuit.client.lost(reason)

    def _mourn(self, seat: "_Seat", will: Last) -> None:
        """Publishes a will; one that may wait is void where the client has come back meanwhile."""
        if not (will.delay_s and seat.circuit):
            self.publish(will.topic, will.payload, qos=1, retain=will.retain)


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

    filters: tuple[str, ...] = ()
    circuit: "Circuit | None" = None  # while connected
    waiting: deque[_Packet] = field(default_factory=deque)
    flying: dict[int, _Packet] = field(default_factory=dict)  # token to what was sent and not acknowledged, in order
    expires: int = 0  # ms; while not connected


class Client(Protocol):
    """The link's end of a circuit."""

    def taken(self, resumed: bool) -> None:
        """CONNACK has arrived."""
        ...

    def arrived(self, topic: str, payload: bytes, retained: bool, token: int | None) -> None:
        """A PUBLISH has arrived; `token` is None for QoS 0."""
        ...

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        ...


class Circuit:
    """One connection: packets take time, in order unless the adversary says otherwise, and are lost with the connection."""

    def __init__(self, hub: Hub, session: Session, will: Last | None, client: Client) -> None:
        self.session = session
        self.will = will
        self.client = client
        self.alive = True
        self.open = False  # CONNACK has arrived
        self._hub = hub
        self._up = self._down = 0  # ms: when the last packet of each way arrives

    @property
    def sent(self) -> int:
        """When everything that has left the client is at the broker, in ms."""
        return self._up

    def up(self, action: Action) -> None:
        """Has `action` done when a packet that leaves the client now arrives at the broker."""
        self._up = self._carry(self._up, action)

    def down(self, action: Action) -> None:
        """Has `action` done when a packet that leaves the broker now arrives at the client."""
        self._down = self._carry(self._down, action)

    def deliver(self, topic: str, payload: bytes, retained: bool, token: int | None) -> None:
        """Sends a PUBLISH to the client; it may overtake what was sent before."""
        hub = self._hub
        last = hub.now if hub.adversary.overtakes(hub.rng) else self._down
        arrival = self._carry(last, lambda: self.client.arrived(topic, payload, retained, token))
        self._down = max(self._down, arrival)

    def _carry(self, last: int, action: Action) -> int:
        """Has `action` done when a packet arrives, not before `last`; gives when that is."""
        hub = self._hub
        snaps = hub.adversary.cuts(hub.rng)
        arrival = max(last, hub.now + hub.adversary.latency(hub.rng))
        hub.at(arrival, lambda: self._arrive(action, snaps))
        return arrival

    def _arrive(self, action: Action, snaps: bool) -> None:
        if snaps or self._hub.adversary.parted(self.session.client, self._hub.now) is not None:
            self._hub.snap(self)
        elif self.alive:
            action()
