"""A link to a broker in memory (folkmoot.link.hub): the face of the real one, without socket or event loop."""

from dataclasses import replace

from folkmoot.link.face import (
    TOO_LARGE,
    Arrived,
    Connected,
    Disconnected,
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
from folkmoot.link.hub import Circuit, Hub
from folkmoot.link.rules import publish_size

RETRY_MS = (1_000, 3_000)  # until the next attempt to connect: the first wait of a Backoff


class MemoryLink:
    """A link (folkmoot.link.face.Link). Its sink is called inside `Hub.run`, and may use the link."""

    def __init__(self, hub: Hub, session: Session, sink: Sink) -> None:
        self._hub = hub
        self._session = session
        self._sink = sink
        self._circuit: Circuit | None = None  # from CONNECT on
        self._taken = False
        self._subscribed = False
        self._before = False  # `_subscribed` before the CONNECT that is under way
        self._running = False
        self._pending: dict[int, Key] = {}

    def start(self) -> None:
        """Connects, and connects again whenever the connection is lost, until `stop`."""
        if not self._running:
            self._running = True
            self._hub.at(self._hub.now, self._dial)

    def kill(self) -> None:
        """Ends the link as kill -9 ends a process: no event any more, no goodbye; the broker sends the will.

        What was sent may still arrive, as chance has it: it had left the process.
        """
        self._running = False
        self._sink = lambda event: None
        circuit = self._circuit
        if circuit and self._hub.rng.random() < 0.5:
            self._hub.at(circuit.sent, lambda: self._hub.snap(circuit))
        elif circuit:
            self._hub.snap(circuit)

    @property
    def free(self) -> int:
        """How many messages `send` would take now."""
        return max(0, self._session.window - len(self._pending)) if self._running and self._taken else 0

    def send(
        self, key: Key, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1, expiry_s: int | None = None
    ) -> bool:
        """Takes a message unless `free` is 0, and says so."""
        circuit = self._circuit
        if circuit is None or not self.free:
            return False
        if publish_size(topic, payload, qos=qos, expires=expiry_s is not None, v5=True) > self._session.max_packet:
            self._hub.at(self._hub.now, lambda: self._sink(Failed(key, TOO_LARGE)))
            return True
        number = self._hub.serial()
        self._pending[number] = key

        def reach() -> None:
            heard = self._hub.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)
            circuit.down(lambda: self._sink(Published(self._pending.pop(number), heard)))

        circuit.up(reach)
        return True

    def ack(self, token: Token) -> None:
        """Acknowledges an arrived message of the present connection."""
        circuit = self._circuit
        if circuit and isinstance(token, tuple) and token[0] is circuit:
            number = token[1]
            circuit.up(lambda: self._hub.acknowledge(circuit, number))

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Subscribes to `filters` in the place of those of the session, now or with the next connection."""
        added = tuple(one for one in filters if one not in self._session.filters)
        self._session = replace(self._session, filters=filters)
        self._subscribed = self._before = False
        circuit = self._circuit
        if circuit is not None:
            circuit.session = self._session
            if self._taken:
                circuit.up(lambda: self._subscribe(circuit, added))

    def stop(self, goodbye: Last | None = None) -> None:
        """Publishes `goodbye` where there is a connection, disconnects, and ends with Stopped."""
        if not self._running:
            return
        self._running = False
        circuit = self._circuit
        if circuit is None:
            self._hub.at(self._hub.now, lambda: self._sink(Stopped()))
        elif self._taken:
            circuit.up(lambda: self._part(circuit, goodbye))
        else:
            self._hub.snap(circuit)

    def _part(self, circuit: Circuit, goodbye: Last | None) -> None:
        if goodbye:
            self._hub.publish(goodbye.topic, goodbye.payload, qos=1, retain=goodbye.retain)
        self._hub.disconnect(circuit)

    # ---- one connection after another

    def _dial(self) -> None:
        if not self._running or self._circuit:
            return
        until = self._hub.adversary.parted(self._session.client, self._hub.now)
        if until is not None:
            self._sink(Unreachable("partitioned", lasting=False))
            self._retry(until)
            return
        will = self._session.will() if self._session.will else None
        # Until CONNACK comes nobody knows: a broker without its sessions makes a new one for a CONNECT whose CONNACK is then
        # lost, and says of that one next time that it is present.
        self._before, self._subscribed = self._subscribed, False
        circuit = self._circuit = Circuit(self._hub, self._session, will, self)
        circuit.up(lambda: self._hub.connect(circuit))

    def _retry(self, earliest: int) -> None:
        self._hub.at(earliest + self._hub.rng.randint(*RETRY_MS), self._dial)

    def taken(self, resumed: bool) -> None:
        """CONNACK has arrived."""
        circuit = self._circuit
        if circuit is None or not self._running:
            return
        self._taken = True
        self._subscribed = resumed and self._before
        if not (resumed and self._subscribed):
            circuit.up(lambda: self._subscribe(circuit))
        self._sink(Connected(resumed, Limits(self._session.window, self._session.max_packet)))

    def _subscribe(self, circuit: Circuit, added: tuple[str, ...] | None = None) -> None:
        """SUBSCRIBE has reached the broker; only its SUBACK tells us that the session holds our subscriptions."""
        self._hub.subscribe(circuit, added)
        filters = circuit.session.filters

        def granted() -> None:
            self._subscribed = filters == self._session.filters

        circuit.down(granted)

    def arrived(self, topic: str, payload: bytes, retained: bool, token: int | None) -> None:
        """A PUBLISH has arrived."""
        self._sink(Arrived(topic, payload, retained, None if token is None else (self._circuit, token)))

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        connected, self._taken, self._circuit = self._taken, False, None
        unsettled, self._pending = tuple(self._pending.values()), {}
        if connected:
            self._sink(Disconnected(reason, unsettled))
        if self._running:
            self._retry(self._hub.now)
        else:
            self._sink(Stopped())
