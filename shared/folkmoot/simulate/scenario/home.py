"""Homes of a scenario: brokers, gateways and devices, on one agenda, with a line to a cloud that is elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from folkmoot.hop.open_round import Open
from folkmoot.ids import MakeId
from folkmoot.link.agenda import Agenda
from folkmoot.link.far import Uplink
from folkmoot.link.hub import Hub
from folkmoot.link.hub_packets import Down, Lost, Traffic, Up
from folkmoot.simulate.disk import Steady
from folkmoot.simulate.host import Ears, Host, Place
from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.trade import MAX_PACKET, Job, School, Trade
from folkmoot.simulate.tiers import tier
from folkmoot.wire import codec
from folkmoot.wire.messages import Hello

GATEWAY_BOOTS, DEVICE_BOOTS = (0, 500), (500, 5_000)  # ms, drawn evenly
INLINE = 65_536  # bytes that travel inside a message
BEFORE = -(1 << 62)  # orders of what comes from elsewhere: before all that is of the same time here


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packet on its way between a home and the cloud."""

    at: int  # ms: when it arrives
    home: int
    serial: int  # of its home and direction
    wire: int  # number of its connection
    packet: Up | Down | Lost

    @property
    def order(self) -> int:
        """Where it stands among what arrives at the same time, wherever that is put down."""
        return BEFORE + (self.home << 32) + self.serial


@dataclass(frozen=True, slots=True)
class Seen:
    """A round of one home, as its gateway has it."""

    round: int
    phase: str
    messages: int
    members: dict[str, tuple[int, int, int | None]]  # device to bytes up and down, and when its answer came, in ms


@dataclass(frozen=True, slots=True)
class Tally:
    """What one device has come to."""

    device: profile.Device
    home: str
    examples: int
    jobs: list[Job]
    traffic: Traffic
    away_ms: int
    reboots: int


def ids(name: str) -> MakeId:
    """Gives what makes the ids of one machine's messages."""
    start, count = codec.digest(name.encode())[:8], 0

    def make() -> bytes:
        nonlocal count
        count += 1
        return start + count.to_bytes(8, "big")

    return make


class Homes:
    """Some homes of a scenario, in one process."""

    def __init__(self, scenario: Scenario, numbers: Sequence[int], school: School, contract: str) -> None:
        self.agenda = Agenda()
        self._scenario = scenario
        self._school = school
        self._contract = contract
        self._out: list[Parcel] = []
        self.rounds: list[Seen] = []  # that are over
        self._homes = {number: _Home(self, profile.home(scenario, number)) for number in numbers}

    @property
    def next(self) -> int | None:
        """When something happens here, in ms."""
        return self.agenda.next

    def advance(self, horizon: int, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Does all that happens before `horizon`; gives what is on its way to the cloud. `parcels` have come from there."""
        for one in parcels:
            uplink = self._homes[one.home].uplink
            self.agenda.at(one.at, lambda one=one, uplink=uplink: uplink.receive(one.wire, one.packet), one.order)  # type: ignore[misc]
        self.agenda.run(horizon - 1)
        out, self._out = self._out, []
        return out

    def tallies(self, now: int) -> list[Tally]:
        """Gives what all devices have come to by `now`, in ms; sees the rounds that gateways still keep, too."""
        for home in self._homes.values():
            home.gateway.show_all()  # type: ignore[attr-defined]
        return [tally for home in self._homes.values() for tally in home.tallies(now)]

    def emit(self, parcel: Parcel) -> None:
        """Takes what is to go to the cloud."""
        self._out.append(parcel)

    def device(self, one: profile.Device, home: "_Home") -> Host:
        """Gives a device of a home."""
        size = self._school.examples.size(one.number)
        hello = Hello(data=self._contract, examples=size - self._school.held(size), max_packet=MAX_PACKET)
        trade = Trade(one, self._school, hello, lambda: self.agenda.now)
        host: Host = tier("device").DeviceHost(one.name, home.place(one.name, one.seed, up=home.hub), home.of.name, trade)
        return host

    def gateway(self, home: "_Home") -> Host:
        """Gives the gateway of a home."""
        of = home.of
        host = tier("gateway").GatewayHost(of.name, home.place(of.name, of.seed, up=home.uplink, down=home.hub))
        host.show = lambda open: self._see(open, self.agenda.now - host.timeline.now())
        gateway: Host = host
        return gateway

    def _see(self, open: Open, ahead: int) -> None:
        """Takes a round of a gateway whose time this one's is so many ms ahead of."""
        began, answered = open.round.began + ahead, open.answered_ms
        members = {
            name: (up, down, began + answered[name] if name in answered else None) for name, (up, down) in open.traffic.items()
        }
        ask = open.round.opened.ask
        self.rounds.append(Seen(ask.round, ask.phase, open.messages, members))

    @property
    def scenario(self) -> Scenario:
        """What all this is of."""
        return self._scenario


class _Home:
    """One home."""

    def __init__(self, homes: Homes, of: profile.Home) -> None:
        self.of = of
        self._homes = homes
        self._agenda = homes.agenda
        self._serial = 0
        rng = Random(of.seed)  # noqa: S311  # repeatable
        self.hub = Hub(rng, agenda=self._agenda)
        self.hub.traffic = {}
        self.uplink = Uplink(self._agenda, rng, of.shape, self._emit)
        self.gateway = homes.gateway(self)
        self._agenda.at(rng.randint(*GATEWAY_BOOTS), self.gateway.start)
        if homes.scenario.fleet.away is not None:
            self._next_outage(profile.absences(homes.scenario.fleet.away, of.seed + 1))
        self._members = [
            _Member(self, one, homes.device(one, self), self._agenda) for one in profile.devices(homes.scenario, of)
        ]

    def place(self, name: str, seed: int, **hops: Any) -> Place:
        """Gives a machine's surroundings."""
        return Place(
            agenda=self._agenda,
            make_id=ids(name),
            seed=seed,
            hubs=hops,
            inline=INLINE,
            max_packet=MAX_PACKET,
            ears=Ears(),
            stores=Steady(),
        )

    def tallies(self, now: int) -> list[Tally]:
        """Gives what its devices have come to."""
        return [one.tally(self.of.name, now) for one in self._members]

    def _emit(self, at: int, wire: int, packet: Up | Down | Lost) -> None:
        self._serial += 1
        self._homes.emit(Parcel(at, self.of.number, self._serial, wire, packet))

    def _next_outage(self, outages: Iterator[tuple[int, int]]) -> None:
        gone, back = next(outages)

        def leave() -> None:
            self.uplink.cut(back)
            self._next_outage(outages)

        self._agenda.at(gone, leave)


class _Member:
    """One device, and what befalls it."""

    __slots__ = ("_agenda", "_device", "_home", "_host", "away_ms", "reboots")

    def __init__(self, home: _Home, device: profile.Device, host: Host, agenda: Agenda) -> None:
        self._home = home
        self._device = device
        self._host = host
        self._agenda = agenda
        self.away_ms = self.reboots = 0
        home.hub.shapes[device.name] = device.shape
        rng = Random(device.seed)  # noqa: S311  # repeatable
        agenda.at(rng.randint(*DEVICE_BOOTS), host.start)
        for number, (absence, befall) in enumerate(((device.kind.away, self._leave), (device.kind.reboot, self._reboot))):
            if absence is not None:
                self._next(profile.absences(absence, device.seed + number), befall)

    def tally(self, home: str, now: int) -> Tally:
        """Gives what it has come to."""
        trade = self._host.trade  # type: ignore[attr-defined]
        traffic = (self._home.hub.traffic or {}).get(self._device.name, Traffic())
        to_come = max(0, self._home.hub.away.get(self._device.name, 0) - now)
        return Tally(self._device, home, trade.hello.examples, trade.jobs, traffic, self.away_ms - to_come, self.reboots)

    def _next(self, absences: Iterator[tuple[int, int]], befall: Callable[[int], None]) -> None:
        gone, back = next(absences)

        def happen() -> None:
            befall(back)
            self._next(absences, befall)

        self._agenda.at(gone, happen)

    def _leave(self, back: int) -> None:
        self.away_ms += back - self._agenda.now
        self._home.hub.leave(self._device.name, back)

    def _reboot(self, back: int) -> None:
        if self._host.up:
            self.reboots += 1
            self._host.kill()
            self._agenda.at(back, lambda: None if self._host.up else self._host.start())
