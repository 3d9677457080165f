"""The time of everybody: homes and cloud go on side by side, each as far as nobody else can reach it.

What leaves a home arrives at the cloud after W, the least latency of all lines, at the earliest, and the other way round. Let B
be the earliest of what is next in homes, or on its way there; of homes that are taking a step, what it was when they began. Let
C be the same of the cloud. Nothing arrives at the cloud before B + W: what homes do because of what it has yet to do is later
still. So it does nothing before min(C, B + W), and nothing arrives in a home before that and W. So far everybody may go,
however long another takes. (K. M. Chandy, J. Misra, "Distributed Simulation: A Case Study in Design and Verification of
Distributed Programs", 1979.)

A step of homes is W at most. With half of it there are more messages between processes, with twice as much the others wait: a
round of 100 devices in two processes took 59 ms, with a half 59 to 61, with a quarter 64 to 67, with two 72 (the CPU times of
all steps, laid side by side). Where there are no others it goes as far as it may, which saves some 5 ms of 110.
"""

from collections.abc import Callable, Sequence
from math import inf

from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.branch import Parcel
from folkmoot.simulate.scenario.centre import Centre
from folkmoot.simulate.scenario.crew import Crew
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.stuck import Stuck


class Clockwork:
    """Moves everybody on."""

    def __init__(self, scenario: Scenario, centre: Centre, crews: Sequence[Crew]) -> None:
        self._centre = centre
        self._sides = [_Side(each) for each in crews]
        self._whose = {branch: side for side in self._sides for branch in side.crew.branches}
        self._least = profile.lookahead(scenario)
        self._longest = self._least if len(crews) > 1 else inf  # step, in ms
        self._limit = round(scenario.hours * 3_600_000)

    def run(self, look: Callable[[], None] = lambda: None) -> int:
        """Lets time pass until the run is over; gives when everybody has been stopped, in ms. Raises Stuck where it never is.

        `look`: is called again and again meanwhile.
        """
        centre, least = self._centre, self._least
        while not centre.over:
            look()
            homes, cloud = min(side.bound for side in self._sides), centre.next
            self._check(min(homes, cloud))
            reach = min(cloud, homes + least) + least
            for side in self._sides:
                if not side.busy and side.bound < reach:
                    side.begin(int(min(reach, side.bound + self._longest)))
            if cloud < homes + least and cloud <= self._limit:  # a run that ends later has not ended, however far homes are
                for parcel in centre.step():
                    self._whose[parcel.branch].put(parcel)
            else:
                centre.take(self._first().end())
        return self._stop()

    def _check(self, nearest: float) -> None:
        if nearest == inf:
            raise Stuck(f"nothing will ever happen again, at {self._centre.agenda.now / 1000:.0f} s")
        if nearest > self._limit:
            raise Stuck(f"the run is not over after {self._limit / 3_600_000:g} hours of virtual time")

    def _first(self) -> "_Side":
        """Gives who has taken a step, once somebody has: whoever is nearest is taking one, if not the cloud is."""
        busy = {side.crew: side for side in self._sides if side.busy}
        crews = list(busy)
        return busy[crews[0].first(crews)]

    def _stop(self) -> int:
        """Brings all homes to one moment: the first one at which they could have heard of the end, which none has passed."""
        end = self._centre.agenda.now + self._least
        for side in self._sides:
            if side.busy:
                side.end()
            side.begin(end)
        for side in self._sides:
            side.end()
        return end


class _Side:
    """A crew, and how far it is."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.busy = True  # it comes up
        self.bound: float = 0  # ms: nothing happens there before, unless something comes that is not on its way yet
        self._waiting: list[Parcel] = []

    def put(self, parcel: Parcel) -> None:
        """Has a parcel go there."""
        self._waiting.append(parcel)
        self.bound = min(self.bound, parcel.at)

    def begin(self, horizon: int) -> None:
        """Has it do all that happens before `horizon`."""
        parcels, self._waiting = self._waiting, []
        self.crew.begin((horizon, parcels))
        self.busy = True

    def end(self) -> list[Parcel]:
        """Gives what its step has put down for the cloud."""
        moved = self.crew.end()
        self.busy = False
        self.bound = min([inf if moved.next is None else moved.next, *(parcel.at for parcel in self._waiting)])
        return moved.parcels
