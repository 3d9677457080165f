"""Some branches of a scenario's tree, in one process."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from folkmoot.simulate.scenario.branch import Branch, Ground, Parcel, Seen
from folkmoot.simulate.scenario.life import Tally


class Branches:
    """Branches, each of which goes on when something happens in it."""

    def __init__(self, ground: Ground, numbers: Sequence[int]) -> None:
        self._branches = {number: Branch(ground, number) for number in numbers}
        self._nexts = {number: branch.agenda.next for number, branch in self._branches.items()}
        self._due = [(at, number) for number, at in self._nexts.items() if at is not None]
        heapify(self._due)

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
            branch = self._branches[number]
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
        for branch in self._branches.values():
            tallies += branch.tallies(now)
            rounds += branch.rounds
        return tallies, rounds
