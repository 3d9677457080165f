"""The cloud of a scenario, and its broker, on an agenda of their own."""

from collections import Counter
from collections.abc import Sequence
from math import inf
from random import Random
from typing import Any

from folkmoot.hop.open_round import Open
from folkmoot.link.agenda import Agenda
from folkmoot.link.far import Trunk
from folkmoot.link.hub import Hub
from folkmoot.link.hub_packets import Down, Lost, Up
from folkmoot.simulate.disk import Steady
from folkmoot.simulate.host import Place
from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.branch import INLINE, Ids, Parcel
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.trade import MAX_PACKET
from folkmoot.simulate.tables import Row
from folkmoot.simulate.tiers import tier

BEGINS = 20_000  # ms: when the run is started; by then whoever is not away has come up, and the cloud knows of it
# Of a fleet whose branches do not come up at once (folkmoot.simulate.scenario.profile), ms after the last one has begun to: its
# machines have said twice by then that they are there, and say it again 14 s later.
LAST = 14_000


class Centre:
    """The cloud with its broker."""

    def __init__(self, scenario: Scenario, bundle: bytes) -> None:
        """Raises UserFault where the run is none."""
        self.agenda = Agenda()
        self.hub = Hub(Random(scenario.seed), agenda=self.agenda)  # noqa: S311  # repeatable
        self.hub.traffic = {}
        self.disk = Steady()
        self._out: list[Parcel] = []
        self._serials: dict[int, int] = {}
        self._trunks: dict[int, Trunk] = {}
        self._seen, self._over = 0, False  # rows that `over` has looked at, and what they said
        self._scenario = scenario
        place = Place(
            agenda=self.agenda,
            make_id=Ids("cloud"),
            seed=scenario.seed,
            hubs={"down": self.hub},
            inline=INLINE,
            max_packet=MAX_PACKET,
            ears=None,
            stores=self.disk,
            harmless=True,
        )
        self.cloud: Any = tier("cloud").CloudHost("cloud", place)
        self.messages: Counter[int] = Counter()  # of each round that is over
        self.cloud.show = self._see
        run = self._run = tier("cloud").launched(scenario.run, bundle, scenario.seed)
        self.agenda.at(0, self.cloud.start)
        self.agenda.at(max(BEGINS, profile.settled(scenario) + LAST), lambda: self.cloud.enter(run))

    @property
    def rows(self) -> Sequence[Row]:
        """What the cloud's tables hold, oldest first."""
        return self.disk.table

    @property
    def rounds(self) -> int:
        """How many rounds the run is to have."""
        return int(self._run.rounds)

    @property
    def done(self) -> int:
        """How many of them are over."""
        return max((campaign.number for campaign in self.cloud.node.campaigns.values()), default=0) if self.cloud.up else 0

    @property
    def over(self) -> bool:
        """Whether the run is over."""
        fresh = self.rows[self._seen :]
        self._seen += len(fresh)
        self._over |= any(getattr(row.fact, "status", "") == "finished" for row in fresh)
        return self._over

    @property
    def next(self) -> float:
        """When something happens here, in ms; infinity: nothing will."""
        upcoming = self.agenda.next
        return inf if upcoming is None else upcoming

    def take(self, parcels: Sequence[Parcel]) -> None:
        """Has parcels arrive that have come from homes."""
        for one in parcels:
            assert one.at > self.agenda.now, "a packet arrives at the cloud before that time is over"
            self.agenda.at(one.at, self._trunk(one.branch).receive, one.wire, one.packet, order=one.order)

    def step(self) -> list[Parcel]:
        """Does all that happens in the next ms in which something does; gives what is on its way to homes."""
        upcoming = self.agenda.next
        assert upcoming is not None
        self.agenda.run(upcoming)
        out, self._out = self._out, []
        return out

    def _see(self, open: Open) -> None:
        ask = open.round.opened.ask
        if ask.phase == "train":
            self.messages[ask.round] += open.messages

    def _trunk(self, number: int) -> Trunk:
        trunk = self._trunks.get(number)
        if trunk is None:
            fleet = self._scenario.fleet
            of = profile.region(self._scenario, 0, number) if fleet.regions else profile.home(self._scenario, number)

            def emit(at: int, wire: int, packet: Up | Down | Lost) -> None:
                serial = self._serials[number] = self._serials.get(number, 0) + 1
                self._out.append(Parcel(at, number, serial, wire, packet))

            trunk = self._trunks[number] = Trunk(self.hub, of.name, of.shape, emit)
        return trunk
