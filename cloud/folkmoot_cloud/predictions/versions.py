"""Versions of asynchronous runs that could be: whoever is at work goes on, whoever is free is asked for the newest.

A version is made of as many answers as `buffer` says, from whichever one they started (FedBuff: Nguyen et al., "Federated
Learning with Buffered Asynchronous Aggregation", AISTATS 2022). The rules are those of folkmoot_cloud.runner.campaign and
folkmoot.hop.round, here for many runs at once: they close round after round in step, each at its own time.
"""

from dataclasses import dataclass, fields
from random import Random
from typing import Any

import numpy as np

from folkmoot.selector import Selector
from folkmoot_cloud.predictions.attendance import Attendance
from folkmoot_cloud.predictions.closing import at_homes
from folkmoot_cloud.predictions.crowd import Crowd
from folkmoot_cloud.predictions.draws import WORLDS
from folkmoot_cloud.predictions.habits import REFUSES, REJECTED, SILENT, WORKS
from folkmoot_cloud.predictions.measured import Wish
from folkmoot_cloud.predictions.patience import HOME_GRACE
from folkmoot_cloud.predictions.samples import Flags, Floats, Ints
from folkmoot_cloud.predictions.worlds import Dealt, Worlds

FREE = -1


@dataclass(frozen=True, slots=True)
class Versions:
    """Rounds, [runs, rounds]. What became of devices stands with the round that asked them."""

    seconds: Floats
    answered: Ints  # devices whose updates are in the version
    told: Ints  # devices that were asked, of the homes whose answers are in it
    bytes_up: Floats  # from homes to the cloud
    bytes_down: Floats
    asked: Ints
    merged: Ints  # of them: those whose updates are in this version or a later one
    silent: Ints
    refused: Ints
    rejected: Ints
    worked: Floats  # seconds that devices trained
    unfinished: Ints  # devices of homes that were at work when the run was over
    unspent: Floats  # seconds for which these would have gone on

    @property
    def drop_outs(self) -> Ints:
        """Devices that are asked and whose updates are in no version."""
        return self.asked - self.merged

    @property
    def late(self) -> Ints:
        """Of them: those who worked, for too long or from too old a version, or until the run was over."""
        return self.drop_outs - self.silent - self.refused - self.rejected

    @classmethod
    def none(cls, runs: int, rounds: int) -> "Versions":
        """Gives rounds of which nothing is known yet."""
        tables: list[Any] = [np.zeros((runs, rounds), np.float64 if one.type is Floats else np.int64) for one in fields(cls)]
        return cls(*tables)

    def of(self, runs: Flags) -> "Versions":
        """Gives the rounds of some runs."""
        return Versions(*(getattr(self, one.name)[runs] for one in fields(self)))


class Stream:
    """Runs under way. Arrays are [runs, homes] where nothing else is said; a home that is free has nothing in them."""

    def __init__(
        self, crowd: Crowd, wish: Wish, worlds: Worlds, selector: Selector, rng: np.random.Generator, runs: int
    ) -> None:
        homes = len(crowd.homes)
        self.there = Attendance(crowd, runs, rng)
        self.homes, self.devices = np.zeros(homes, np.int64), np.zeros(len(crowd.devices), np.int64)
        """How often each was asked, in all runs together."""
        self._crowd, self._wish, self._worlds, self._selector, self._rng = crowd, wish, worlds, selector, rng
        self._place = {name: at for at, name in enumerate(crowd.devices)}
        self._clock = np.zeros(runs)  # [runs]
        self._version = np.zeros(runs, np.int64)  # [runs]
        self._of = np.full((runs, homes), FREE)  # the round that has asked a home that is at work
        self._base = np.zeros((runs, homes), np.int64)  # the version that it started from
        self._size = np.zeros((runs, homes), np.int64)  # devices that it was asked for
        self._leaves = np.zeros((runs, homes), np.int64)  # devices in its answer
        self._begun = np.zeros((runs, homes))
        self._word = np.full((runs, homes), np.inf)  # when it answers or refuses; infinite: never
        self._settled = np.zeros((runs, homes))  # until when the round that has asked it waits for it
        self._job = np.zeros((runs, len(crowd.devices)))  # [runs, devices] seconds that each works in a home that is at work
        self._lasts = 0.0  # seconds that an answer usually takes

    def play(self, rounds: int, up: Floats, down: Floats) -> Versions | None:
        """Plays so many rounds, whose answers and Asks have so many bytes, [homes]; None where all runs wait for ever."""
        found = Versions.none(len(self._clock), rounds)
        passed = np.full(len(self._clock), np.inf)
        for at in range(rounds):
            memory = np.exp(-passed / self._lasts) if self._lasts else np.zeros(len(passed))
            there = self.there.come(max(1, self._wish.minimum), 1 - memory)
            goal = self._ask(found, at, *self._choose(there))
            over, counted = self._close(at, goal)
            passed = over - self._clock
            leaves = np.where(counted, self._leaves, 0)
            run, home = np.nonzero(leaves)
            np.add.at(found.merged, (run, self._of[run, home]), leaves[run, home])
            found.seconds[:, at] = passed
            found.answered[:, at] = leaves.sum(1)
            found.told[:, at] = np.where(leaves > 0, self._size, 0).sum(1)
            found.bytes_up[:, at] = (leaves > 0) @ up
            found.bytes_down[:, at] = (self._of == at) @ down
            self._go_on(found, over, counted, found.answered[:, at] >= self._wish.minimum)
        self._end(found)
        return None if self.there.stuck.all() else found.of(~self.there.stuck)

    def _choose(self, there: Flags) -> tuple[Flags, Ints]:
        """Gives whom each run asks of those who are there, [runs, devices], and the answers with which its round closes."""
        can = there & (self._of == FREE)[:, self._crowd.home]
        free, busy = can.sum(1), self._size.sum(1)
        wanted = np.asarray([self._wish.cohort.size(int(count)) for count in there.sum(1)])
        number = np.minimum(np.clip(wanted - busy, 0, self._wish.most), free)
        can[number == 0] = False
        for run in np.flatnonzero((number > 0) & (number < free)):
            those = [self._crowd.able[one] for one in np.flatnonzero(can[run])]
            chance = Random(int(self._rng.integers(1 << 62)))  # noqa: S311  # repeatable
            can[run] = False
            can[run, [self._place[one.device] for one in self._selector.pick(those, int(number[run]), chance)]] = True
        return can, np.minimum(self._wish.buffer, busy + can.sum(1))

    def _ask(self, found: Versions, at: int, picked: Flags, goal: Ints) -> Ints:
        """Has those who are asked begin; gives the goal again."""
        run, device = np.nonzero(picked)
        homes = len(self._crowd.homes)
        keys, group = np.unique(run * homes + self._crowd.home[device], return_inverse=True)
        group = group.reshape(-1)
        of, home = np.divmod(keys, homes)
        dealt = self._worlds.deal(device, run % WORLDS, home, of % WORLDS)
        below = at_homes(dealt.did, dealt.job, group, dealt.line, np.zeros(len(keys), np.int64), self._wish.deadline)
        refuses, silent = dealt.home_did == REFUSES, dealt.home_did == SILENT
        takes = np.where(refuses, dealt.way, below.until + dealt.way)
        never = silent | (takes > self._wish.deadline)
        own = (of, home)
        self._of[own], self._base[own], self._begun[own] = at, self._version[of], self._clock[of]
        self._size[own] = np.bincount(group, minlength=len(keys))
        self._leaves[own] = np.where(never | refuses, 0, below.leaves)
        self._word[own] = np.where(never, np.inf, self._clock[of] + takes)
        self._settled[own] = self._clock[of] + np.where(silent, HOME_GRACE, takes)
        self._job[(self._of == at)[:, self._crowd.home]] = 0.0
        stops = np.where(below.in_time, dealt.job, below.until[group])
        worked = self._job[run, device] = np.where(dealt.did == WORKS, np.minimum(dealt.job, stops), 0.0)
        found.worked[:, at] = np.bincount(run, worked, len(goal))
        found.asked[:, at] = np.bincount(run, minlength=len(goal))
        for name, those in _lost(dealt, group):
            getattr(found, name)[:, at] = np.bincount(run, those, len(goal))
        self.homes += np.bincount(home, minlength=homes)
        self.devices += np.bincount(device, minlength=len(self.devices))
        self._lasts = self._lasts or float(np.median(takes))
        return goal

    def _close(self, at: int, goal: Ints) -> tuple[Floats, Flags]:
        """Gives when each run's round is over, [runs], and whose word it has heard by then that it had not before."""
        order = np.argsort(self._word, axis=1, kind="stable")
        enough = np.cumsum(np.take_along_axis(self._leaves, order, 1), 1) >= goal[:, None]
        last = np.where(enough.any(1) & (goal > 0), np.argmax(enough, 1), -1)
        runs = np.arange(len(goal))
        reached = np.where(last >= 0, self._word[runs, order[runs, last]], np.inf)
        # Of those who were asked before, nobody is given up who has given no answer.
        before = np.where(self._leaves > 0, self._word, np.inf)
        waits = np.select([self._of == FREE, self._of == at], [0.0, self._settled], before).max(1)
        over = np.maximum(np.minimum(np.minimum(reached, waits), self._clock + self._wish.deadline), self._clock)
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], 1)
        by_goal = reached <= over
        # What comes at the same moment as the answer that was wanted counts in the next round.
        heard = np.where(by_goal[:, None], rank <= last[:, None], self._word <= over[:, None])
        return np.where(by_goal, np.maximum(reached, self._clock), over), heard

    def _go_on(self, found: Versions, over: Floats, heard: Flags, learnt: Flags) -> None:
        """Ends a round: whose word was heard is free, and whose answer could not count any more."""
        self._version += learnt
        self._clock = over
        stale = self._base < (self._version - self._wish.staleness)[:, None]
        lost = (self._of != FREE) & ~heard & (stale | (self._begun + self._wish.deadline <= over[:, None]))
        run, home, over = self._excess(lost)
        np.subtract.at(found.worked, (run, self._of[run, home]), over)
        free = heard | lost
        self._of[free], self._size[free], self._leaves[free], self._word[free] = FREE, 0, 0, np.inf

    def _end(self, found: Versions) -> None:
        """Ends the runs, in the midst of work."""
        run, home = np.nonzero(self._of != FREE)
        np.add.at(found.unfinished, (run, self._of[run, home]), self._size[run, home])
        run, home, over = self._excess(self._of != FREE)
        np.add.at(found.unspent, (run, self._of[run, home]), over)
        found.worked[:] -= found.unspent

    def _excess(self, homes: Flags) -> tuple[Ints, Ints, Floats]:
        """Gives the devices in these homes that are not done, each as its run and its home, and what they have still to do."""
        run, home = np.nonzero(homes)
        spent = np.full(homes.shape, np.inf)
        spent[run, home] = self._clock[run] - self._begun[run, home]
        over = np.maximum(self._job - spent[:, self._crowd.home], 0.0)
        run, device = np.nonzero(over)
        return run, self._crowd.home[device], over[run, device]


def _lost(dealt: Dealt, group: Ints) -> list[tuple[str, Flags]]:
    """Gives which devices never work, by the field that counts them."""
    home = dealt.home_did[group]
    silent = (home == SILENT) | (dealt.did == SILENT)
    refused = ~silent & ((home == REFUSES) | (dealt.did == REFUSES))
    return [("silent", silent), ("refused", refused), ("rejected", ~silent & ~refused & (dealt.did == REJECTED))]
