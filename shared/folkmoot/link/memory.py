"""A link to a broker in memory (folkmoot.link.hub): the face of the real one, without socket or event loop."""

from dataclasses import replace
from typing import Any

from folkmoot.link.agenda import Action
from folkmoot.link.face import (
    TOO_LARGE,
    Arrived,
    Connected,
    Disconnected,
    Event,
    Failed,
    Key,
    Last,
    Limits,
    Published,
    Session,
    Sink,
    Stopped,
    Token,
    Unreachable,
)
from folkmoot.link.hub_packets import Accepted, Connack, Connect, Delivery, Disconnect, Down, Puback, Publish, Suback, Subscribe
from folkmoot.link.rules import publish_size
from folkmoot.link.wire import Network, Wire

RETRY_MS = (1_000, 3_000)  # until the next attempt to connect: the first wait of a Backoff


def _nobody(event: Event) -> None:
    """Hears nothing any more."""


class MemoryLink:
    """A link (folkmoot.link.face.Link). Its sink is called inside the agenda's steps, and may use the link."""

    __slots__ = (
        "_before",
        "_circuit",
        "_network",
        "_number",
        "_pending",
        "_running",
        "_session",
        "_sink",
        "_subscribed",
        "_taken",
    )

    def __init__(self, network: Network, session: Session, sink: Sink) -> None:
        self._network = network
        self._session = session
        self._sink = sink
        self._circuit: Wire | None = None  # from CONNECT on
        self._taken = False
        self._subscribed = False
        self._before = False  # `_subscribed` before the CONNECT that is under way
        self._running = False
        self._number = 0  # of the newest message
        self._pending: dict[int, Key] = {}

    def start(self) -> None:
        """Connects, and connects again whenever the connection is lost, until `stop`."""
        if not self._running:
            self._running = True
            self._later(self._dial)

    def kill(self) -> None:
        """Ends the link as kill -9 ends a process: no event any more, no goodbye; the broker sends the will.

        What was sent may still arrive, as chance has it: it had left the process.
        """
        self._running = False
        self._sink = _nobody
        circuit = self._circuit
        if circuit and self._network.rng.random() < 0.5:
            self._network.agenda.at(circuit.sent, circuit.snap)
        elif circuit:
            circuit.snap()

    @property
    def free(self) -> int:
        """How many messages `send` would take now."""
        return max(0, self._session.window - len(self._pending)) if self._running and self._taken else 0

    @property
    def waiting(self) -> bool:
        """Whether the broker is still to answer what we have said."""
        return self._circuit is not None and not (self._taken and self._subscribed and not self._pending)

    def send(
        self, key: Key, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1, expiry_s: int | None = None
    ) -> bool:
        """Takes a message unless `free` is 0, and says so."""
        circuit = self._circuit
        if circuit is None or not self.free:
            return False
        size = publish_size(topic, payload, qos=qos, expires=expiry_s is not None, v5=True)
        if size > self._session.max_packet:
            self._later(self._tell, Failed(key, TOO_LARGE))
            return True
        self._number += 1
        self._pending[self._number] = key
        circuit.up(Publish(self._number, topic, payload, retain, qos, expiry_s, size))
        return True

    def ack(self, token: Token) -> None:
        """Acknowledges an arrived message of the present connection."""
        circuit = self._circuit
        if circuit and isinstance(token, tuple) and token[0] is circuit:
            circuit.up(Puback(token[1]))

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Subscribes to `filters` in the place of those of the session, now or with the next connection."""
        added = tuple(one for one in filters if one not in self._session.filters)
        self._session = replace(self._session, filters=filters)
        self._subscribed = self._before = False
        circuit = self._circuit
        if circuit is not None and self._taken:
            circuit.up(Subscribe(filters, added))

    def stop(self, goodbye: Last | None = None) -> None:
        """Publishes `goodbye` where there is a connection, disconnects, and ends with Stopped."""
        if not self._running:
            return
        self._running = False
        circuit = self._circuit
        if circuit is None:
            self._later(self._tell, Stopped())
        elif self._taken:
            circuit.up(Disconnect(goodbye))
        else:
            circuit.snap()

    # ---- one connection after another

    def _dial(self) -> None:
        if not self._running or self._circuit:
            return
        until = self._network.parted(self._session.client)
        if until is not None:
            self._sink(Unreachable("partitioned", lasting=False))
            self._retry(until)
            return
        will = self._session.will() if self._session.will else None
        # Until CONNACK comes nobody knows: a broker without its sessions makes a new one for a CONNECT whose CONNACK is then
        # lost, and says of that one next time that it is present.
        self._before, self._subscribed = self._subscribed, False
        circuit = self._circuit = self._network.dial(self._session.client, self)
        circuit.up(Connect(replace(self._session, will=None), will))

    def _retry(self, earliest: int) -> None:
        self._network.agenda.at(earliest + self._network.rng.randint(*RETRY_MS), self._dial)

    def _later(self, action: Action, *given: Any) -> None:
        """Has something done at once, but not within the call that is under way."""
        self._network.agenda.at(self._network.agenda.now, action, *given)

    def _tell(self, event: Event) -> None:
        self._sink(event)

    def take(self, packet: Down) -> None:
        """Takes what the broker says."""
        match packet:
            case Delivery(topic, payload, retained, token):
                self._sink(Arrived(topic, payload, retained, None if token is None else (self._circuit, token)))
            case Accepted(number, heard):
                self._sink(Published(self._pending.pop(number), heard))
            case Connack(resumed):
                self._welcome(resumed)
            case Suback(filters):  # only now do we know that the session holds them
                self._subscribed = filters == self._session.filters

    def _welcome(self, resumed: bool) -> None:
        circuit = self._circuit
        if circuit is None or not self._running:
            return
        self._taken = True
        self._subscribed = resumed and self._before
        if not self._subscribed:
            circuit.up(Subscribe(self._session.filters))
        self._sink(Connected(resumed, Limits(self._session.window, self._session.max_packet)))

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        connected, self._taken, self._circuit = self._taken, False, None
        unsettled, self._pending = tuple(self._pending.values()), {}
        if connected:
            self._sink(Disconnected(reason, unsettled))
        if self._running:
            self._retry(self._network.agenda.now)
        else:
            self._sink(Stopped())
