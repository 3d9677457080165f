"""A device's voice on its broker: what its link and its outlet do, where no connection is ever lost and nothing is damaged."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from folkmoot.hop.batch import Send
from folkmoot.link.circuit import Circuit
from folkmoot.link.face import Last
from folkmoot.link.hub import Hub
from folkmoot.link.hub_packets import Accepted, Connack, Connect, Delivery, Down, Publish, Suback, Subscribe
from folkmoot.link.rules import publish_size
from folkmoot.serve.outlet import EXPIRY
from folkmoot.simulate.clock import Setting, wall
from folkmoot.simulate.host import session
from folkmoot.simulate.paced import Paced
from folkmoot.wire import codec
from folkmoot.wire.messages import Body, Hello, Status
from folkmoot.wire.topics import Tree

BIRTH = BOOT = 1  # it is started once, and connects once


@dataclass(frozen=True, slots=True)
class Roof:
    """What the devices of a home have in common."""

    hub: Hub
    tree: Tree
    hello: Hello
    digest: bytes  # of it
    inline: int  # bytes that travel inside a message
    max_packet: int  # bytes


class Voice(Paced):
    """Says and hears things as MemoryLink and Outlet would, in the same order."""

    __slots__ = ("_circuit", "_flying", "_held", "_make_id", "_sequence", "_window", "clock", "name", "roof", "up")

    def __init__(self, name: str, roof: Roof, make_id: Callable[[], bytes]) -> None:
        super().__init__(roof.hub.agenda)
        self.name, self.roof = name, roof
        self.up = False
        self.clock: Setting = "right"
        self._make_id = make_id
        self._circuit: Circuit
        self._sequence = 0
        self._window = self._flying = 0  # messages that may be on their way at once, and those that are
        self._held: dict[Hashable, Send] = {}  # those that wait for room there

    @abstractmethod
    def hear(self, packet: Connack | Delivery) -> None:
        """Takes what is to be answered in a step."""

    def start(self) -> None:
        """Connects."""
        self.up = True
        self.agenda.at(self.agenda.now, self._dial)

    def _dial(self) -> None:
        name, roof = self.name, self.roof
        asked = session(name, roof.tree, name, upper=False, max_packet=roof.max_packet)
        # The will would be its first message. The broker, which would only say it after a loss, has it without content.
        self._envelope(Status(state="down", birth=BIRTH), b"")
        self._window = asked.window
        self._circuit = roof.hub.dial(name, self)
        self._circuit.up(Connect(asked, Last(roof.tree.topic(name, Status), b"")))

    def take(self, packet: Down) -> None:
        """Takes what the broker says."""
        match packet:
            case Delivery():
                self.hear(packet)
            case Accepted():
                self._flying -= 1
                if self._held:
                    self._flush(self._held)
            case Connack():
                self._circuit.up(Subscribe(self.roof.tree.lower_filters(self.name)))
                self.hear(packet)
            case Suback():
                pass

    def undo(self) -> None:
        """Lets go of the connection, which knows who is at its end."""
        if self.up:
            del self._circuit

    def lost(self, reason: str) -> None:
        """Raises AssertionError."""
        raise AssertionError(f"the connection of {self.name} is lost, where none ever is: {reason}")

    def say(self, sends: Sequence[Send]) -> None:
        """Has messages leave, or wait until there is room for them; a newer one with the same key replaces one that waits."""
        if len(sends) == 1 and not self._held and self._flying < self._window:
            self._leave(sends[0])
        else:
            held = self._held.copy()
            for send in sends:
                held.pop(send.key, None)
                held[send.key] = send
            self._flush(held)

    def _flush(self, held: dict[Hashable, Send]) -> None:
        while held and self._flying < self._window:
            self._leave(held.pop(next(iter(held))))
        self._held = held or {}  # a new one is smaller than one that was full

    def _leave(self, send: Send) -> None:
        topic = self.roof.tree.topic(send.member, type(send.body))
        payload = codec.sealed(self._envelope(send.body, send.ask))
        expiry = None if send.retain else EXPIRY
        size = publish_size(topic, payload, qos=1, expires=expiry is not None, v5=True)
        self._flying += 1
        self._circuit.up(Publish(self._sequence, topic, payload, send.retain, 1, expiry, size))

    def _envelope(self, body: Body, ask: bytes) -> codec.Envelope:
        self._sequence += 1
        return codec.Envelope(
            id=self._make_id(),
            src=self.name,
            dst=self.roof.tree.upper,
            body=body,
            ask=ask,
            ts_ms=max(0, wall(self.clock, self.agenda.now)),
            fresh=(BOOT, self._sequence),
            digest=self.roof.digest if body is self.roof.hello else b"",
        )
