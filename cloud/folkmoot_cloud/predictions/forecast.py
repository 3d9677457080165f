"""What a run is going to take, from what has been measured of a fleet: a pure function, by Monte Carlo."""

from collections.abc import Sequence
from math import ceil, floor, log10

import numpy as np

from folkmoot.selector import Selector
from folkmoot_cloud.predictions import asynchrony, way
from folkmoot_cloud.predictions.closing import Closed, close
from folkmoot_cloud.predictions.draws import ENTRIES, WORLDS, Draws, draw
from folkmoot_cloud.predictions.measured import Fleet, Power, Wish
from folkmoot_cloud.predictions.outlook import Becomes, Forecast, Sooner, Takes, basis, first_downloads, spread
from folkmoot_cloud.predictions.pace import Pace, pace
from folkmoot_cloud.predictions.samples import Floats
from folkmoot_cloud.predictions.way import Way

RUNS = 16  # whole runs that are put together of the rounds of each world
MB = 1e6
# Of the arrivals of answers: those by which a shorter deadline might end a round.
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)


def forecast(
    fleet: Fleet,
    wish: Wish,
    power: Power,
    selector: Selector,
    rng: np.random.Generator,
    entries: int = ENTRIES,
    *,
    sooner: bool = True,
) -> Forecast | None:
    """Gives what a run is going to take; None where it never finds as many devices as it needs.

    `fleet` has one round at least in which a job was measured; `sooner`: tries shorter deadlines as well, which takes half of
    the time. Not of asynchronous runs, whose rounds wait for the next answers and not for the last ones.
    """
    answered = way.answered(fleet)
    paces = pace(fleet, answered.usual)
    ways = way.way(fleet, paces, answered)
    if wish.buffer:
        return asynchrony.forecast(fleet, wish, power, paces, ways, selector, rng, entries)
    draws = draw(fleet, wish, paces, ways, selector, rng, entries)
    if not len(draws.goal):
        return None
    closed = close(draws, wish.deadline, draws.job)
    figures = _figures(fleet, draws, closed, ways, power)
    ending = close(draws, wish.deadline, draws.fixed).seconds if wish.evaluate else np.zeros(len(draws.goal))
    counts = (draws.asked, closed.answered, closed.late, closed.silent, closed.refused, closed.rejected)
    return Forecast(
        round=Takes(*(spread(each) for each in figures)),
        run=_run(figures, ending, draws, wish, _first_downloads(fleet, draws, paces, ways, wish), rng, power),
        devices=Becomes(*(spread(each) for each in counts)),
        short=float(np.mean(closed.answered < wish.minimum)),
        waiting=draws.waited / (draws.waited + len(draws.goal)),
        deadlines=_deadlines(draws, closed, wish, QUANTILES if sooner else ()),
        basis=basis(fleet, draws.devices, draws.homes, paces, ways),
    )


def _figures(fleet: Fleet, draws: Draws, closed: Closed, ways: Way, power: Power) -> list[Floats]:
    """Gives the figures of `Takes`, each [rounds]."""
    rounds = len(draws.goal)
    usual = [float(np.mean(list(each.values()))) if each else 0.0 for each in (ways.bytes_up, ways.bytes_down)]
    up, down = (
        np.asarray([each.get(name, mean) for name in draws.homes])[draws.home]
        for each, mean in zip((ways.bytes_up, ways.bytes_down), usual, strict=True)
    )
    home_up, home_down = way.home_lines(fleet)
    between = (home_up * closed.answered, home_down * closed.told)
    joules = power.watts * closed.worked + power.joules_per_mb / MB * (between[0] + between[1])
    return [
        closed.seconds,
        (draws.asked - closed.answered).astype(np.float64),
        np.bincount(draws.round, up * closed.reached, rounds),
        np.bincount(draws.round, down, rounds),
        *between,
        joules,
    ]


def _run(
    figures: Sequence[Floats],
    ending: Floats,
    draws: Draws,
    wish: Wish,
    first: tuple[float, float],
    rng: np.random.Generator,
    power: Power,
) -> Takes:
    """Puts runs together of the rounds of each world, at random; adds what their first round and their end take."""
    table = np.stack(figures, axis=1)
    runs = []
    for world in range(WORLDS):
        (mine,) = np.nonzero(draws.world == world)
        if len(mine):
            times = rng.multinomial(wish.rounds, np.full(len(mine), 1 / len(mine)), size=RUNS)
            total = times @ table[mine]
            total[:, 0] += ending[mine][rng.integers(len(mine), size=RUNS)]
            runs.append(total)
    whole = np.concatenate(runs)
    to_homes, to_devices = first
    whole[:, 3] += to_homes
    whole[:, 5] += to_devices
    whole[:, 6] += to_devices / MB * power.joules_per_mb
    return Takes(*(spread(column) for column in whole.T))


def _first_downloads(fleet: Fleet, draws: Draws, paces: Pace, ways: Way, wish: Wish) -> tuple[float, float]:
    """Gives the bytes in which homes and devices fetch the program that have never had it, in a whole run."""
    homes, devices = (
        np.bincount(members, minlength=len(names)) / len(draws.goal)
        for members, names in ((draws.home, draws.homes), (draws.device, draws.devices))
    )
    return (
        first_downloads(fleet.program, draws.homes, ways.bytes_down, homes, wish.rounds),
        first_downloads(fleet.program, draws.devices, paces.rates.of, devices, wish.rounds),
    )


def _deadlines(draws: Draws, closed: Closed, wish: Wish, quantiles: Sequence[float]) -> list[Sooner]:
    """Gives what rounds would be with shorter deadlines, by which certain shares of the answers are there."""
    coming = closed.arrival[np.isfinite(closed.arrival)]
    times = np.quantile(coming, quantiles) if len(coming) else np.empty(0)
    # A home stops earlier than the cloud by a margin, which is added here.
    wanted = {_round_up(float(each) / 0.9) for each in times if each > 0}
    found = []
    for deadline in [*sorted(each for each in wanted if 0.1 <= each < wish.deadline), wish.deadline]:
        outcome = closed if deadline == wish.deadline else close(draws, deadline, draws.job)
        short = float(np.mean(outcome.answered < wish.minimum))
        found.append(Sooner(deadline, spread(outcome.seconds), spread(outcome.answered), short))
    return found


def _round_up(seconds: float) -> float:
    """Gives the next number of two digits."""
    step = 10.0 ** (floor(log10(seconds)) - 1)
    return round(ceil(seconds / step) * step, 6)
