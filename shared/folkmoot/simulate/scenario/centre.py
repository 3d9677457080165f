"""The cloud of a scenario, and the time of everybody: homes and cloud go on side by side while none can reach another.

What leaves a home arrives at the cloud after the least latency of all lines at the earliest, and the other way round. So from
the next thing that happens anywhere, everybody may go on by that much alone; then parcels are exchanged. (K. M. Chandy, J.
Misra, "Distributed Simulation", 1979; the window is that of B. D. Lubachevsky, "Efficient Distributed Event-driven Simulations
of Multiple-loop Networks", 1989.)
"""

from collections import Counter
from collections.abc import Callable, Sequence
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
from folkmoot.simulate.scenario.crew import Crew
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.trade import MAX_PACKET
from folkmoot.simulate.stuck import Stuck
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

    def advance(self, horizon: int, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Does all that happens before `horizon`; gives what is on its way to homes. `parcels` have come from there."""
        for one in parcels:
            assert one.at >= self.agenda.now, "a packet arrives at the cloud when that time is over"
            trunk = self._trunk(one.branch)
            self.agenda.at(one.at, trunk.receive, one.wire, one.packet, order=one.order)
        self.agenda.run(horizon - 1)
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


class Clockwork:
    """Moves everybody on."""

    def __init__(self, scenario: Scenario, centre: Centre, crews: Sequence[Crew]) -> None:
        self._centre = centre
        self._crews = crews
        self._window = profile.lookahead(scenario)
        self._limit = round(scenario.hours * 3_600_000)
        self._nexts = [each.end().next for each in crews]
        self._whose = {branch: number for number, each in enumerate(crews) for branch in each.branches}
        self._down: list[list[Parcel]] = [[] for _ in crews]
        self._up: list[Parcel] = []
        self.now = 0
        self.windows = 0

    def run(self, until: Callable[[], bool]) -> None:
        """Lets time pass until something is so. Raises Stuck where it never is."""
        while not until():
            homes, cloud = self._nearest()
            nearest = min(homes, cloud)
            if nearest == inf:
                raise Stuck(f"nothing will ever happen again, at {self.now / 1000:.0f} s")
            if nearest > self._limit:
                raise Stuck(f"the run is not over after {self._limit / 3_600_000:g} hours of virtual time")
            self._turn(homes, cloud)
            self.now = int(nearest)
            self.windows += 1

    def _nearest(self) -> tuple[float, float]:
        """Gives when the next thing happens in a home, and in the cloud, in ms."""
        homes = [time for time in self._nexts if time is not None]
        homes += [parcel.at for parcels in self._down for parcel in parcels]
        cloud = [parcel.at for parcel in self._up]
        cloud += [] if (upcoming := self._centre.agenda.next) is None else [upcoming]
        return min(homes, default=inf), min(cloud, default=inf)

    def _turn(self, homes: float, cloud: float) -> None:
        """Moves everybody on who has something to do, as far as none can hear of another's doing.

        What homes do from `homes` on, the cloud hears of a window later at the earliest; and what it does in return to what the
        cloud does from `cloud` on, two windows later. The same the other way round.
        """
        window = self._window
        clouds, theirs = int(min(homes, cloud + window)) + window, int(min(cloud, homes + window)) + window
        busy = []
        for number, each in enumerate(self._crews):
            upcoming, waiting = self._nexts[number], self._down[number]
            if (upcoming is not None and upcoming < theirs) or any(parcel.at < theirs for parcel in waiting):
                self._down[number] = []
                each.begin((theirs, waiting))
                busy.append(number)
        if cloud < clouds:
            parcels, self._up = self._up, []
            for parcel in self._centre.advance(clouds, parcels):
                self._down[self._whose[parcel.branch]].append(parcel)
        for number in busy:
            moved = self._crews[number].end()
            self._nexts[number] = moved.next
            self._up += moved.parcels
