"""When rounds close, and what became of everybody by then: order statistics of stragglers, in two tiers.

A round that waits for all takes the largest of its answers' times, one with a goal of k the k-th smallest, and none more than
its deadline (Lee, Lam, Pedarsani, Papailiopoulos and Ramchandran, "Speeding up distributed machine learning using codes", IEEE
Transactions on Information Theory 2018, section II). Here a home is a round with its devices, and an answer in the cloud's.
"""

from dataclasses import dataclass

import numpy as np

from folkmoot_cloud.predictions.draws import Draws
from folkmoot_cloud.predictions.habits import REFUSES, REJECTED, SILENT, WORKS
from folkmoot_cloud.predictions.patience import DEVICE_GRACE, HOME_GRACE, at_home
from folkmoot_cloud.predictions.samples import Flags, Floats, Ints


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of drawn rounds; [rounds] but for the last three, which are [entries] and [groups]."""

    seconds: Floats
    answered: Ints  # devices whose updates are in the model
    late: Ints
    silent: Ints
    refused: Ints
    rejected: Ints
    worked: Floats  # seconds that devices trained, all of a round together
    told: Ints  # devices that were asked, of homes whose answers came in time
    arrival: Floats  # [entries] seconds until each device's update would be at the cloud, were there no deadline
    reached: Ints  # [groups] 1: the home's answer came in time


@dataclass(frozen=True, slots=True)
class Homes:
    """What became of homes' parts of rounds, in seconds from when they were asked; [groups], and [entries] below."""

    until: Floats  # when a home waits for nobody any more
    leaves: Ints  # devices in its answer
    in_time: Flags  # [entries] whether a device is one of them
    answer: Floats  # [entries] when its answer is there; infinite: never


def at_homes(did: Ints, job: Floats, group: Ints, line: Floats, share: Ints, deadline: float) -> Homes:
    """Closes homes' parts of rounds: `line` and `share`, the answers with which one closes, or 0, are [groups]."""
    groups = len(line)
    there = job + line[group]
    answer = np.where(did == WORKS, there, np.inf)
    settled = np.choose(did, [there, np.full_like(job, DEVICE_GRACE), np.zeros_like(job), there])
    until = np.minimum(_kth(answer, group, share, groups), np.minimum(_latest(settled, group, groups), at_home(deadline)))
    in_time = answer <= until[group]
    return Homes(until, np.bincount(group, in_time, groups).astype(np.int64), in_time, answer)


def close(draws: Draws, deadline: float, job: Floats) -> Closed:
    """Closes rounds whose jobs take `job` seconds, [entries], with a deadline of so many seconds."""
    group, rounds = draws.group, len(draws.goal)
    size = np.bincount(group, minlength=len(draws.round))
    share = -(-draws.goal[draws.round] * size // draws.asked[draws.round])
    below = at_homes(draws.did, job, group, draws.line, share, deadline)
    until, in_time, leaves = below.until, below.in_time, below.leaves
    answers = draws.home_did == WORKS
    arrival = np.where(answers, until + draws.way, np.inf)
    home_settled = np.select([draws.home_did == SILENT, draws.home_did == REFUSES], [HOME_GRACE, draws.way], arrival)
    enough = _reached(arrival, leaves, draws.round, draws.goal)
    seconds = np.minimum(enough, np.minimum(_latest(home_settled, draws.round, rounds), deadline))
    reached = arrival <= seconds[draws.round]
    merged = in_time & reached[group]
    of_round = draws.round[group]
    lost = (draws.home_did[group] == SILENT) | ((draws.did == SILENT) & ~merged)
    refused = ~lost & ((draws.home_did[group] == REFUSES) | (draws.did == REFUSES))
    rejected = ~lost & ~refused & (draws.did == REJECTED)
    late = ~(merged | lost | refused | rejected)
    stopped = np.where(in_time, job, np.minimum(until[group], seconds[of_round]))
    worked = np.where(draws.did == WORKS, np.minimum(job, stopped), 0.0)

    def count(those: Flags) -> Ints:
        return np.bincount(of_round, those, rounds).astype(np.int64)

    return Closed(
        seconds=seconds,
        answered=count(merged),
        late=count(late),
        silent=count(lost),
        refused=count(refused),
        rejected=count(rejected),
        worked=np.bincount(of_round, worked, rounds).astype(np.float64),
        told=count(reached[group]),
        arrival=below.answer + draws.way[group],
        reached=reached.astype(np.int64),
    )


def _latest(times: Floats, of: Ints, count: int) -> Floats:
    """Gives the latest of the times of each of `count` parts that `of` names."""
    found = np.zeros(count)
    np.maximum.at(found, of, times)
    return found


def _kth(times: Floats, of: Ints, which: Ints, count: int) -> Floats:
    """Gives the `which`-th smallest of the times of each part; infinite where that is 0 or there are not so many."""
    order = np.lexsort((times, of))
    sizes = np.bincount(of, minlength=count)
    starts = np.cumsum(sizes) - sizes
    found = np.full(count, np.inf)
    there = (which > 0) & (which <= sizes)
    found[there] = times[order][starts[there] + which[there] - 1]
    return found


def _reached(arrival: Floats, leaves: Ints, of: Ints, goal: Ints) -> Floats:
    """Gives when each round has as many leaves as its goal; infinite where it never does, or has none."""
    order = np.lexsort((arrival, of))
    rounds, times = of[order], arrival[order]
    total = np.cumsum(leaves[order])
    sizes = np.bincount(of, minlength=len(goal))
    first = np.cumsum(sizes) - sizes
    before = np.concatenate(([0], total))[first]
    enough = (goal[rounds] > 0) & (total - before[rounds] >= goal[rounds])
    found = np.full(len(goal), np.inf)
    np.minimum.at(found, rounds[enough], times[enough])
    return found
