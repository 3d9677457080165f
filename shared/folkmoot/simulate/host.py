"""One machine of a simulated federation: a disk that outlives crashes, and a program that does not."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol

from folkmoot.clock import Mark, Timeline
from folkmoot.flight.recorder import Flight, Recorder, flight
from folkmoot.hop.batch import Batch
from folkmoot.link.agenda import Action, Agenda
from folkmoot.link.face import Last, Session
from folkmoot.link.memory import MemoryLink
from folkmoot.link.wire import Network
from folkmoot.serve.driver import Journal, Local, Node, Stepper
from folkmoot.serve.outlet import Outlet
from folkmoot.serve.port import Births, Port
from folkmoot.simulate.clock import Setting, wall
from folkmoot.simulate.disk import Crash, Disk
from folkmoot.simulate.paced import Paced
from folkmoot.wire import codec
from folkmoot.wire.topics import Tree


@dataclass(frozen=True, slots=True)
class Stop:
    """A machine stops and is started again."""

    host: str
    at: int  # ms
    steps: int  # durable steps that it still does from then on; 0: it stops at once
    power: bool  # what was not synced may be gone
    absence: int  # ms until it is started again


class Stores(Protocol):
    """Where a machine keeps things: a Disk, or files."""

    step: Callable[[], None]
    committed: Callable[[Collection[Batch]], None]

    @property
    def rows(self) -> Iterable[Any]:
        """What the tables hold."""
        ...

    def boot(self) -> tuple[Any, Any, Any]:
        """Gives ledger, cache and spool of one life."""
        ...

    def lose_power(self, rng: Random) -> None:
        """Takes back what was not synced."""
        ...


def _do(action: Action) -> None:
    action()


def _nothing(name: str, batches: Collection[Batch]) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class Ears:
    """Who hears what machines do."""

    committed: Callable[[str, Collection[Batch]], None] = _nothing  # a machine has stored something
    stepped: Callable[[str, Collection[Batch]], None] = _nothing  # and has then done it
    happened: Callable[[str, str], None] = lambda name, what: None  # something befalls a machine


@dataclass(slots=True)
class Place:
    """What a machine needs of the world around it."""

    agenda: Agenda
    make_id: Callable[[], bytes]
    seed: int  # of this machine alone
    hubs: Mapping[str, Network]  # hop to the way to its broker
    inline: int  # bytes that travel inside a message
    max_packet: int  # bytes
    ears: Ears | None  # None: nobody listens
    stores: Stores = field(default_factory=Disk)
    guard: Callable[[Action], None] = _do  # does something in which the machine may crash
    harmless: bool = False  # the network damages nothing: what was sealed here needs no parsing here


def _will(port: Port, member: str, births: Births) -> Last:
    return port.will(member, births.next(), 0)


def session(
    me: str, tree: Tree, client: str, *, upper: bool, max_packet: int, will: Callable[[], Last] | None = None
) -> Session:
    """Gives what a machine asks of a hop's broker; `me` is its name there, `client` the broker's own for it."""
    window = 32 if upper else 8
    filters = tree.upper_filters() if upper else tree.lower_filters(me)
    return Session(client, filters, will=will, window=window, receive_maximum=window, max_packet=max_packet)


class Host(Paced):
    """A machine. Subclasses are the tiers' (`simulated.py` in each of them)."""

    __slots__ = (
        "_off_since",
        "boot",
        "cache",
        "clock",
        "countdown",
        "doom",
        "down_ms",
        "driven",
        "driver",
        "flight",
        "ledger",
        "lives",
        "name",
        "node",
        "place",
        "ports",
        "recorder",
        "spool",
        "timeline",
        "up",
    )

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(place.agenda)
        self.name = name
        self.place = place
        self.up = False
        self.clock: Setting = "right"
        self.ports: dict[str, Port] = {}
        self.node: Any = None
        self.recorder: Recorder | None = None
        self.flight: Flight
        self.driven: Any = None  # the node, or what records its steps
        self.driver: Stepper
        self.timeline: Timeline
        self.lives = 0
        self.countdown = 0  # durable steps until it crashes; 0: it does not
        self.doom: Stop | None = None  # how it crashes then
        self.down_ms = 0  # how long it was off in all
        self._off_since = 0
        place.stores.step = self._durable
        if (ears := place.ears) is not None:
            place.stores.committed = lambda batches: ears.committed(name, batches)

    def _durable(self) -> None:
        if self.countdown:
            self.countdown -= 1
            if not self.countdown:
                raise Crash(self.name)

    def start(self) -> None:
        """Boots the machine. Raises Crash where it does not come far."""
        self.ledger, self.cache, self.spool = self.place.stores.boot()
        self.lives += 1
        self.down_ms += self.place.agenda.now - self._off_since
        self._off_since = self.place.agenda.now
        boot = self.ledger.count("boot")
        now = self.ledger.fact("now")
        mark = None if now is None else Mark(int(now), int(self.ledger.fact("wall")))
        self.timeline = Timeline(mark, self._now, self.wall)
        self.driver = Stepper(self.journal(), self.timeline, self.rouse)
        self.ports, self.boot = {}, boot
        self.flight = flight(self.recorder)
        self.node = self.make()
        self.driven = self.flight.wrap(self.node)
        self.up = True
        for port in self.ports.values():
            port.link.start()
        self.rouse()

    def journal(self) -> Journal:
        """Gives where steps are stored."""
        return Local(self.ledger)

    @abstractmethod
    def make(self) -> Node:
        """Gives the program, restored."""

    def wall(self) -> int:
        """What this machine believes that the time is, in ms since 1970."""
        return wall(self.clock, self._now())

    def _now(self) -> int:
        return self.place.agenda.now

    def join(self, hop: str, tree: Tree, me: str, *, upper: bool) -> Births:
        """Puts a hop on its broker."""
        port = Port(hop, self.driver.post, self.timeline)
        births = Births(self.ledger, hop)
        will = partial(_will, port, "" if upper else me, births)
        client = f"{me}-{hop}" if upper else me
        asked = session(me, tree, client, upper=upper, max_packet=self.place.max_packet, will=will)
        link = MemoryLink(self.place.hubs[hop], asked, port.hear)
        outlet = Outlet(link, tree, me, upper=upper, boot=self.boot, make_id=self.place.make_id, wall=self.wall)
        if self.place.harmless:
            outlet.sealing = codec.sealed
        port.attach(link, outlet)
        self.ports[hop] = port
        return births

    def step(self) -> None:
        """Takes all that has come: decide, store, do. Raises Crash."""
        turn = self.driver.turn(self.driven, self.ports)
        try:
            turn.send(None)
        except StopIteration as end:
            if self.place.ears is not None:
                self.place.ears.stepped(self.name, end.value.values())
            return
        raise AssertionError("a step of a simulated machine waits for something")

    def turn(self) -> int | None:
        """Steps where something has come, or its program wants to; gives when that wants to again."""
        if self.up and (self.driver.waiting or ((wake := self._wake) is not None and wake <= self.agenda.now)):
            self.place.guard(self.step)
        return self._wake if self.up else None

    @property
    def _wake(self) -> int | None:
        """When its program wants to step, in the world's time."""
        wake = self.node.wake
        now = self.place.agenda.now
        return None if wake is None else now + max(0, wake - self.timeline.now())

    def kill(self, *, power: bool = False) -> None:
        """Ends the program as kill -9 does; `power`: as a pulled plug does."""
        self.up = False
        self.countdown = 0
        self._off_since = self.place.agenda.now
        for port in self.ports.values():
            assert isinstance(port.link, MemoryLink)
            port.link.kill()
        self.ledger.close()
        if power:
            self.place.stores.lose_power(Random(self.place.seed + self.lives))  # noqa: S311  # repeatable
