"""A branch of a scenario's tree: brokers, gateways and devices, on one agenda, with a line to a cloud that is elsewhere."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, cast

from folkmoot.hop.open_round import Open
from folkmoot.hop.ports import ROOM
from folkmoot.link.agenda import Agenda
from folkmoot.link.far import Uplink
from folkmoot.link.hub import Hub
from folkmoot.link.hub_packets import Down, Lost, Up
from folkmoot.link.wire import Network
from folkmoot.simulate.disk import Steady
from folkmoot.simulate.host import Host, Place
from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.chance import Chance
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.life import Life, Tally
from folkmoot.simulate.scenario.stand_in import StandIn
from folkmoot.simulate.scenario.tape import Tape
from folkmoot.simulate.scenario.trade import MAX_PACKET, School, Trade
from folkmoot.simulate.scenario.voice import Roof
from folkmoot.simulate.tiers import tier
from folkmoot.wire import codec
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree

BOOTS = (0, 500)  # ms, drawn evenly
LATE = (0, 50)  # of a branch that comes up later than others (folkmoot.simulate.scenario.life)
INLINE = 65_536  # bytes that travel inside a message
BEFORE = -(1 << 62)  # orders of what comes from elsewhere: before all that is of the same time here


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packet on its way between the cloud and what hangs on it."""

    at: int  # ms: when it arrives
    branch: int
    serial: int  # of its branch and direction
    wire: int  # number of its connection
    packet: Up | Down | Lost

    @property
    def order(self) -> int:
        """Where it stands among what arrives at the same time, wherever that is put down."""
        return BEFORE + (self.branch << 32) + self.serial


@dataclass(frozen=True, slots=True)
class Seen:
    """A round of one home, as its gateway has it."""

    round: int
    phase: str
    messages: int
    members: dict[str, tuple[int, int, int | None]]  # device to bytes up and down, and when its answer came, in ms


class Ids:
    """Makes the ids of one machine's messages."""

    __slots__ = ("_count", "_start")

    def __init__(self, name: str) -> None:
        self._start, self._count = codec.digest(name.encode())[:8], 0

    def __call__(self) -> bytes:
        self._count += 1
        return self._start + self._count.to_bytes(8, "big")


def empty(one: Any) -> None:
    """Takes from an object all that it has."""
    for kind in type(one).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if hasattr(one, name):
                delattr(one, name)
    getattr(one, "__dict__", {}).clear()


@dataclass(frozen=True, slots=True)
class Ground:
    """What all branches of a scenario have in common."""

    scenario: Scenario
    school: School
    contract: str
    size: int  # bytes of a model

    @property
    def things(self) -> Sequence[object]:
        """What branches refer to of all this."""
        kinds = self.scenario.fleet.kinds
        traces = (series for kind in kinds if kind.trace is not None for series in kind.trace.series)
        return self, self.school, self.contract, *kinds, *traces

    @property
    def plain(self) -> bool:
        """Whether stand-ins do for devices."""
        return profile.plain(self.scenario, self.size, INLINE - ROOM)

    def hello(self, device: int) -> Hello:
        """Gives what a device says of itself."""
        size = self.school.examples.size(device)
        return Hello(data=self.contract, examples=size - self.school.held(size), max_packet=MAX_PACKET)


class Branch:
    """What hangs on the cloud by one line, on an agenda of its own: a home, or a regional gateway with all that is below it."""

    __slots__ = (
        "_ground",
        "_homes",
        "_out",
        "_serial",
        "_uplink",
        "agenda",
        "begins",
        "devices",
        "gateways",
        "number",
        "rounds",
    )

    def __init__(self, ground: Ground, number: int) -> None:
        self.number = number
        self.begins = profile.begins(ground.scenario, number)
        self.devices = 0
        self.agenda = Agenda()
        self.gateways: list[_Gateway] = []
        self.rounds: list[Seen] = []  # that are over
        self._ground = ground
        self._homes: list[_Home] = []
        self._out: list[Parcel] = []
        self._serial = 0  # of the newest parcel
        self._uplink: Uplink
        self._grow(0, number, None)

    def _grow(self, tier: int, number: int, above: "_Gateway | None") -> None:
        """Puts down a gateway and all that is below it."""
        scenario = self._ground.scenario
        if tier == len(scenario.fleet.regions):
            home = _Home(self, scenario, profile.home(scenario, number), above)
            self.gateways.append(home)
            self._homes.append(home)
            self.devices += len(home.of.below)
            return
        gateway = _Gateway(self, scenario, profile.region(scenario, tier, number), above)
        self.gateways.append(gateway)
        for below in gateway.of.below:
            self._grow(tier + 1, below, gateway)

    def uplink(self, of: profile.Gateway, rng: Random) -> Uplink:
        """Gives the line to the cloud."""
        self._uplink = Uplink(self.agenda, rng, of.shape, self._emit)
        return self._uplink

    def _emit(self, at: int, wire: int, packet: Up | Down | Lost) -> None:
        self._serial += 1
        self._out.append(Parcel(at, self.number, self._serial, wire, packet))

    def advance(self, horizon: int, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Does all that happens before `horizon`; gives what is on its way to the cloud. `parcels` have come from there."""
        for one in parcels:
            assert one.at > self.agenda.now, "a packet arrives in a home before that time is over"
            self.agenda.at(one.at, self._uplink.receive, one.wire, one.packet, order=one.order)
        self.agenda.run(horizon - 1)
        out, self._out = self._out, []
        return out

    @property
    def waiting(self) -> bool:
        """Whether the cloud is about to say something: it waits for an answer, or has not acknowledged what was said."""
        host = self.gateways[0].host
        if not host.up:
            return False
        return host.ports["up"].link.waiting or any(one.state != "done" for one in host.above.members.values())

    def tallies(self, now: int) -> list[Tally]:
        """Gives what all devices have come to by `now`, in ms; sees the rounds that gateways still keep, too."""
        for gateway in self.gateways:
            gateway.host.show_all()
        return [tally for home in self._homes for tally in home.tallies(now)]

    def undo(self) -> None:
        """Lets go of everything: it is full of cycles, which Python looks for among all that there is, or not at all."""
        for gateway in self.gateways:
            gateway.undo()
        for one in (*self.gateways, self._uplink, self.agenda, self):
            empty(one)

    def roof(self, home: "_Home") -> Roof | None:
        """Gives what the stand-ins of a home have in common; None where devices are the real ones."""
        if not self._ground.plain:
            return None
        hello = self._ground.hello(home.of.below.start)
        return Roof(home.hub, Tree("fl", home.of.name), hello, codec.digest(codec.dump(hello)), INLINE, MAX_PACKET)

    def device(self, one: profile.Device, home: "_Home") -> Host | StandIn:
        """Gives a device of a home, or what stands in for it."""
        if home.roof is not None:
            trade = Trade(one, self._ground.school, home.roof.hello, self.agenda)
            return StandIn(one.name, home.roof, trade, Ids(one.name))
        trade = Trade(one, self._ground.school, self._ground.hello(one.number), self.agenda)
        host: Host = tier("device").DeviceHost(one.name, home.place(one.name, one.seed, home.hops), home.of.name, trade)
        return host


class _Gateway:
    """A gateway and its broker."""

    def __init__(self, branch: Branch, scenario: Scenario, of: profile.Gateway, above: "_Gateway | None") -> None:
        """`above`: the gateway above; None: the cloud is."""
        self.of = of
        self.agenda = branch.agenda
        self._rounds = branch.rounds
        chance = Chance(of.seed, LATE if branch.begins else BOOTS)
        rng = cast(Random, chance)
        self.hub = Hub(rng, agenda=self.agenda)
        self.hub.traffic = {}
        line: Network
        self._cut: Callable[[int], None]  # the line up, until then
        if above is None:
            line = uplink = branch.uplink(of, rng)
            self._cut = uplink.cut
        else:
            line = above.hub
            above.hub.shapes[of.name] = of.shape
            self._cut = partial(above.hub.leave, of.name)
        self.hops: Mapping[str, Network] = {"up": self.hub}  # of all that is below
        place = self.place(of.name, of.seed, {"up": line, "down": self.hub})
        self.host: Any = tier("gateway").GatewayHost(of.name, place, "" if above is None else above.of.name)
        self.host.show = self._see
        self.host.clock = profile.clock(scenario.fleet.clock, of.seed)
        self.agenda.at(branch.begins + chance.first, self.host.start)
        if of.away is not None:
            self._next_outage(Tape(profile.absences, of.away, of.seed + 1))

    def place(self, name: str, seed: int, hops: Mapping[str, Network]) -> Place:
        """Gives a machine's surroundings."""
        return Place(
            agenda=self.agenda,
            make_id=Ids(name),
            seed=seed,
            hubs=hops,
            inline=INLINE,
            max_packet=MAX_PACKET,
            ears=None,
            stores=Steady(),
            harmless=True,
        )

    @property
    def hosts(self) -> list[Host | StandIn]:
        """The machines here."""
        return [self.host]

    def undo(self) -> None:
        """Lets go of the machines, and of the broker."""
        for host in self.hosts:
            if isinstance(host, StandIn):
                host.undo()
                continue
            for port in host.ports.values():
                empty(port.link)
                empty(port)
            empty(host)
        empty(self.hub)

    def _see(self, open: Open) -> None:
        """Takes a round that is over."""
        ahead = self.agenda.now - self.host.timeline.now()
        began, answered = open.round.began + ahead, open.answered_ms
        members = {
            name: (up, down, began + answered[name] if name in answered else None) for name, (up, down) in open.traffic.items()
        }
        ask = open.round.opened.ask
        self._rounds.append(Seen(ask.round, ask.phase, open.messages, members))

    def _next_outage(self, outages: Iterator[tuple[int, int]]) -> None:
        gone, back = next(outages)
        self.agenda.at(gone, self._leave, back, outages)

    def _leave(self, back: int, outages: Iterator[tuple[int, int]]) -> None:
        self._cut(back)
        self._next_outage(outages)


class _Home(_Gateway):
    """A home: its gateway, and its devices."""

    def __init__(self, branch: Branch, scenario: Scenario, of: profile.Gateway, above: _Gateway | None) -> None:
        super().__init__(branch, scenario, of, above)
        self.roof = branch.roof(self)
        machines = (profile.device(scenario, device) for device in of.below)
        self._lives = [Life(one, branch.device(one, self), self.hub, branch.begins) for one in machines]

    @property
    def hosts(self) -> list[Host | StandIn]:
        """The machines here."""
        return [self.host, *(one.host for one in self._lives)]

    def tallies(self, now: int) -> list[Tally]:
        """Gives what its devices have come to."""
        return [one.tally(self.of.name, now) for one in self._lives]
