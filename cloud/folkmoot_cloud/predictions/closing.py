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
from folkmoot_cloud.predictions.samples import Floats, Ints


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


def close(draws: Draws, deadline: float, job: Floats) -> Closed:
    """Closes rounds whose jobs take `job` seconds, [entries], with a deadline of so many seconds."""
    group, groups, rounds = draws.group, len(draws.round), len(draws.goal)
    works = draws.did == WORKS
    there = job + draws.line[group]
    answer = np.where(works, there, np.inf)
    settled = np.choose(draws.did, [there, np.full_like(job, DEVICE_GRACE), np.zeros_like(job), there])
    size = np.bincount(group, minlength=groups)
    share = -(-draws.goal[draws.round] * size // draws.asked[draws.round])
    until = np.minimum(_kth(answer, group, share, groups), np.minimum(_latest(settled, group, groups), at_home(deadline)))
    in_time = answer <= until[group]
    leaves = np.bincount(group, in_time, groups).astype(np.int64)
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
    worked = np.where(works, np.minimum(job, np.where(in_time, job, np.minimum(until[group], seconds[of_round]))), 0.0)

    def count(those: np.typing.NDArray[np.bool_]) -> Ints:
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
        arrival=answer + draws.way[group],
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
