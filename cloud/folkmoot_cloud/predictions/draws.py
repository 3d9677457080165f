"""Rounds that could be, drawn from what devices and homes usually do. Randomness is an argument.

All rounds stand in flat arrays, an entry for each device that one of them asks, so that thousands cost little more than one.
They are of several worlds: in each, who has never been measured is like one certain other, and everybody has one certain chance
to drop out. However uncertain these are to us, a whole run has the same ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from folkmoot.selector import Selector
from folkmoot_cloud.predictions import habits
from folkmoot_cloud.predictions.crowd import Crowd, crowd
from folkmoot_cloud.predictions.habits import WORKS
from folkmoot_cloud.predictions.measured import Fleet, Wish
from folkmoot_cloud.predictions.pace import Pace
from folkmoot_cloud.predictions.samples import Floats, Ints, Samples, Spread, Values
from folkmoot_cloud.predictions.way import Way

WORLDS = 24
ROUNDS = 240  # in all worlds together, at most
ENTRIES = 120_000  # devices asked in all these rounds, at most: they take 15 MB and a tenth of a second
LOOKS = 4  # devices that may be looked at for each of these, to choose among: it takes as long
# What the others' rate of dropping out counts beside a member's own record, in rounds: the prior of a Dirichlet distribution.
PRIOR = 2.0


@dataclass(frozen=True, slots=True)
class Draws:
    """Rounds; arrays are [entries], [groups] or [rounds]. A group is a home in a round."""

    devices: Sequence[str]  # by their numbers
    homes: Sequence[str]
    world: Ints  # of each round
    goal: Ints  # answers with which a round closes; 0: it waits for all
    asked: Ints  # devices of a round
    device: Ints  # of each entry: number in the fleet
    group: Ints  # of each entry
    did: Ints  # of each entry: WORKS, ...
    job: Floats  # of each entry: seconds of its job
    fixed: Floats  # of each entry: seconds of a job without a step, as when a model is only evaluated
    round: Ints  # of each group
    home: Ints  # of each group: number in the fleet
    home_did: Ints  # of each group
    way: Floats  # of each group: seconds that its answer takes beside what its devices do
    line: Floats  # of each group: seconds that answers of its devices take to it
    waited: int  # rounds that could not begin: too few devices were there


def draw(
    fleet: Fleet, wish: Wish, paces: Pace, ways: Way, selector: Selector, rng: np.random.Generator, entries: int = ENTRIES
) -> Draws:
    """Gives rounds of a run as it is wished for: about `entries` devices are asked in all of them together."""
    there = crowd(fleet, wish, paces)
    names, homes, home = there.devices, there.homes, there.home
    cohorts = _cohorts(there, wish, selector, rng, entries)
    rounds = np.repeat(np.arange(len(cohorts.goal)), cohorts.asked)
    device, worlds = cohorts.picked, cohorts.world[rounds]
    keys, group = np.unique(rounds * len(homes) + home[device], return_inverse=True)
    of_round, of_home = np.divmod(keys, max(1, len(homes)))
    worlds_of = cohorts.world[of_round]
    fixed = there.fixed[device]
    return Draws(
        devices=names,
        homes=homes,
        world=cohorts.world,
        goal=cohorts.goal,
        asked=cohorts.asked,
        device=device,
        group=group.reshape(-1),
        did=_did(habits.of_devices(fleet, names), device, worlds, rng),
        job=fixed + there.steps[device] * Members(names, paces.rates, fleet.kinds).draw(device, worlds, rng),
        fixed=fixed,
        round=of_round,
        home=of_home,
        home_did=np.minimum(_did(habits.of_homes(fleet, homes), of_home, worlds_of, rng), habits.REFUSES),
        way=Members(homes, ways.seconds, {}).draw(of_home, worlds_of, rng),
        line=Members(homes, ways.lines, {}).draw(of_home, worlds_of, rng),
        waited=cohorts.waited,
    )


@dataclass(frozen=True, slots=True)
class _Cohorts:
    """Whom rounds ask."""

    world: Ints
    goal: Ints
    asked: Ints
    picked: Ints  # numbers of devices, round after round
    waited: int


def _cohorts(crowd: Crowd, wish: Wish, selector: Selector, rng: np.random.Generator, entries: int) -> _Cohorts:
    """Draws who is there and whom the selector takes of them, round after round."""
    able = crowd.able
    place = {one.device: at for at, one in enumerate(able)}
    expected = max(1, min(wish.cohort.size(max(1, int(crowd.admitted.sum()))), wish.most))
    count = int(np.clip(min(entries // expected, LOOKS * entries // max(1, len(able))), 2 * WORLDS, ROUNDS))
    world, goal, asked, picked, waited = [], [], [], [], 0
    for at in range(count):
        up, homes_up = rng.random(len(able)) < crowd.up, rng.random(len(crowd.homes)) < crowd.homes_up
        there = np.flatnonzero(crowd.admitted & up & homes_up[crowd.home])
        if len(there) < max(1, wish.minimum):
            waited += 1
            continue
        chance = Random(int(rng.integers(1 << 62)))  # noqa: S311  # repeatable
        chosen, enough = wish.cohort.choose([able[one] for one in there], selector, wish.over_selection, wish.most, chance)
        world.append(at % WORLDS)
        goal.append(enough)
        asked.append(len(chosen))
        picked += [place[one.device] for one in chosen]
    found = [np.asarray(each, np.int64) for each in (world, goal, asked, picked)]
    return _Cohorts(found[0], found[1], found[2], found[3], waited)


class Members:
    """What is drawn for members, of whom some have never been measured: in each world, these are like a certain other one."""

    def __init__(self, names: Sequence[str], spread: Spread, kinds: Mapping[str, object]) -> None:
        """Takes what was measured, also of some that are no longer there; of nobody: all is 0."""
        known = sorted(spread.of) or [""]
        self._samples = Samples(known, spread if spread.of else Spread({"": Values(np.zeros(1), np.zeros(1))}, np.zeros(1)))
        place = {name: at for at, name in enumerate(known)}
        like: dict[object, list[int]] = {}
        for name in known:
            like.setdefault(kinds.get(name), []).append(place[name])
        of_kind = {kind: at for at, kind in enumerate(like)}
        self._groups = [np.asarray(each) for each in (*like.values(), range(len(known)))]
        self._own = np.asarray([place.get(name, -1) for name in names], np.int64)
        self._kind = np.asarray([of_kind.get(kinds.get(name), len(like)) for name in names], np.int64)

    def like(self, members: Ints, rng: np.random.Generator) -> Ints:
        """Gives the numbers of those whom these members, each in a world of its own, are like: themselves where they can be."""
        source = self._own[members]
        for at in np.flatnonzero(source < 0):
            group = self._groups[self._kind[members[at]]]
            source[at] = group[rng.integers(len(group))]
        return source

    def values(self, like: Ints, rng: np.random.Generator) -> Floats:
        """Gives a value for each member that is like one of these."""
        return self._samples.draw(like, rng)

    def draw(self, members: Ints, worlds: Ints, rng: np.random.Generator) -> Floats:
        """Gives a value for each of these members, in its world."""
        pairs, which = _pairs(members, worlds)
        return self.values(self.like(pairs, rng)[which], rng)


def _pairs(members: Ints, worlds: Ints) -> tuple[Ints, Ints]:
    """Gives a member for each pair of member and world that there is, and the number of its pair for each entry."""
    keys, which = np.unique(members * WORLDS + worlds, return_inverse=True)
    return keys // WORLDS, which.reshape(-1)


def _did(counts: Floats, members: Ints, worlds: Ints, rng: np.random.Generator) -> Ints:
    """Gives what each of these members does, by its own record and everybody's."""
    pairs, which = _pairs(members, worlds)
    return done(chances(counts, pairs, rng)[which], rng)


def chances(counts: Floats, members: Ints, rng: np.random.Generator) -> Floats:
    """Gives how likely each of these members, each in a world of its own, does what, [members, 4], summed up from the left.

    `counts`: how often each did, and in the last row everybody together (folkmoot_cloud.predictions.habits).
    """
    total = counts[-1].sum()
    usual = counts[-1] / total if total else np.eye(4)[WORKS]
    return np.cumsum(rng.gamma(counts[members] + PRIOR * usual), -1)


def done(limits: Floats, rng: np.random.Generator) -> Ints:
    """Gives what each does whose chances these are."""
    at = rng.random(len(limits)) * limits[:, -1]
    return np.asarray((at[:, None] >= limits[:, :-1]).sum(-1), np.int64)
