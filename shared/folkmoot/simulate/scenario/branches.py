"""Some branches of a scenario's tree, in one process: those in which nothing happens are put away."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.branch import Branch, Ground, Parcel, Seen
from folkmoot.simulate.scenario.life import Tally
from folkmoot.simulate.scenario.shelf import Shelf

SOON = 300  # ms: where something happens earlier than that, a branch is not put away


class Branches:
    """Branches, each of which is there while something happens in it, and is made when it comes up."""

    def __init__(self, ground: Ground, numbers: Sequence[int]) -> None:
        scenario = ground.scenario
        self.brought = 0  # branches that were brought back
        self._ground = ground
        self._room = scenario.awake if profile.sleeps(scenario) else scenario.fleet.devices
        self._shelf = Shelf(ground.things)
        self._nexts: dict[int, int | None] = {number: profile.begins(scenario, number) for number in numbers}
        self._due = [(at, number) for number, at in self._nexts.items() if at is not None]
        heapify(self._due)
        self._awake: dict[int, Branch] = {}  # the one that has done nothing for longest first
        self._away: dict[int, bytes] = {}
        self._devices = 0  # of those awake

    @property
    def next(self) -> int | None:
        """When something happens here, in ms."""
        while self._due and self._nexts[self._due[0][1]] != self._due[0][0]:
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def advance(self, horizon: int, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Does all that happens before `horizon`; gives what is on its way to the cloud. `parcels` have come from there."""
        busy: dict[int, list[Parcel]] = {}
        for one in parcels:
            busy.setdefault(one.branch, []).append(one)
        due = self._due
        while due and due[0][0] < horizon:
            at, number = heappop(due)
            if at == self._nexts[number]:
                busy.setdefault(number, [])
        out: list[Parcel] = []
        for number, come in busy.items():
            branch = self._wake(number, horizon)
            out += branch.advance(horizon, come)
            upcoming = branch.agenda.next
            if upcoming is not None and upcoming != self._nexts[number]:  # otherwise it stands there
                heappush(due, (upcoming, number))
            self._nexts[number] = upcoming
        return out

    def close(self, now: int) -> tuple[list[Tally], list[Seen]]:
        """Gives what all devices have come to by `now`, in ms, and the rounds of their homes."""
        tallies: list[Tally] = []
        rounds: list[Seen] = []
        for number in self._nexts:
            awake = self._awake.get(number)
            branch = awake or self._made(number)
            tallies += branch.tallies(now)
            rounds += branch.rounds
            if awake is None:
                branch.undo()
        return tallies, rounds

    def _wake(self, number: int, now: int) -> Branch:
        """Gives a branch, which is now the one that has done something last."""
        branch = self._awake.pop(number, None)
        if branch is None:
            if self._devices >= self._room:
                self._tidy(now + SOON)
            branch = self._made(number)
            self._devices += branch.devices
        self._awake[number] = branch
        return branch

    def _made(self, number: int) -> Branch:
        """Gives a branch that is put away, or was not there yet."""
        data = self._away.pop(number, None)
        if data is None:
            return Branch(self._ground, number)
        self.brought += 1
        return self._shelf.take(data)

    def _tidy(self, until: int) -> None:
        """Puts branches away in which nothing happens until then, as many as it takes to have room for one more."""
        for number, branch in list(self._awake.items()):
            upcoming = self._nexts[number]
            if (upcoming is None or upcoming >= until) and not branch.waiting:
                self._away[number] = self._shelf.put(self._awake.pop(number))
                self._devices -= branch.devices
                branch.undo()
                if self._devices < self._room:
                    return
