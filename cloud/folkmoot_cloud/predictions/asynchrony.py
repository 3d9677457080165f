"""What an asynchronous run is going to take: runs are played, version by version, and counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from folkmoot.selector import Selector
from folkmoot_cloud.predictions import way
from folkmoot_cloud.predictions.closing import close
from folkmoot_cloud.predictions.crowd import Crowd, crowd
from folkmoot_cloud.predictions.draws import WORLDS, draw
from folkmoot_cloud.predictions.measured import Fleet, Power, Wish
from folkmoot_cloud.predictions.outlook import Becomes, Forecast, Sooner, Takes, basis, first_downloads, spread
from folkmoot_cloud.predictions.pace import Pace
from folkmoot_cloud.predictions.samples import Floats
from folkmoot_cloud.predictions.versions import Stream, Versions
from folkmoot_cloud.predictions.way import Way
from folkmoot_cloud.predictions.worlds import Worlds

MB = 1e6
RUNS = 2 * WORLDS  # that are played at most
ROUNDS = 500  # of each that are played at most: what comes behind them is like their middle
# Devices at times that are looked at, in all rounds of all runs, at most: half a second of work.
LOOKS = 5_000_000
TURNS = 4.0  # that everybody is to have had in what is played, before the rest is taken to be like it
LEAST = 12  # rounds that are played at least, however large a fleet is


@dataclass(frozen=True, slots=True)
class _Known:
    """What runs are played from."""

    fleet: Fleet
    power: Power
    paces: Pace
    ways: Way
    selector: Selector
    rng: np.random.Generator
    entries: int

    def play(self, those: Crowd, wish: Wish, runs: int, rounds: int) -> tuple[Stream, Versions | None]:
        """Plays so many runs, and so many rounds of each."""
        worlds = Worlds(self.fleet, those, self.paces, self.ways, self.rng)
        stream = Stream(those, wish, worlds, self.selector, self.rng, runs)
        up, down = (_usual(each, those.homes) for each in (self.ways.bytes_up, self.ways.bytes_down))
        return stream, stream.play(rounds, up, down)

    def figures(self, found: Versions, *, ends: bool = True) -> list[Floats]:
        """Gives the figures of `Takes`, each [runs, rounds]; `ends`: with what it costs that the runs were over at the end."""
        up, down = way.home_lines(self.fleet)
        between = (up * found.answered, down * found.told)
        worked, drop_outs = found.worked, found.drop_outs
        if not ends:
            worked, drop_outs = worked + found.unspent, drop_outs - found.unfinished
        joules = self.power.watts * worked + self.power.joules_per_mb / MB * (between[0] + between[1])
        return [found.seconds, drop_outs.astype(np.float64), found.bytes_up, found.bytes_down, *between, joules]

    def ending(self, wish: Wish, runs: int) -> Floats:
        """Gives the seconds in which the last version of each run is evaluated: everybody is waited for then."""
        if not wish.evaluate:
            return np.zeros(runs)
        draws = draw(self.fleet, replace(wish, buffer=0), self.paces, self.ways, self.selector, self.rng, 0)
        if not len(draws.goal):
            return np.zeros(runs)
        return self.rng.choice(close(draws, wish.deadline, draws.fixed).seconds, runs)


def forecast(
    fleet: Fleet,
    wish: Wish,
    power: Power,
    paces: Pace,
    ways: Way,
    selector: Selector,
    rng: np.random.Generator,
    entries: int,
) -> Forecast | None:
    """Gives what an asynchronous run is going to take; None where it never finds as many devices as it needs."""
    those, known = crowd(fleet, wish, paces), _Known(fleet, power, paces, ways, selector, rng, entries)
    if not len(those.devices):
        return None
    runs, rounds = _extent(those, wish, entries)
    stream, found = known.play(those, wish, runs, rounds)
    if found is None:
        return None
    often = [times / (runs * rounds) for times in (stream.homes, stream.devices)]
    first = (
        first_downloads(fleet.program, those.homes, ways.bytes_down, often[0], wish.rounds),
        first_downloads(fleet.program, those.devices, paces.rates.of, often[1], wish.rounds),
    )
    counts = (found.asked, found.answered, found.late, found.silent, found.refused, found.rejected)
    short = float(np.mean(found.answered < wish.minimum))
    waited = stream.there.waited
    return Forecast(
        round=Takes(*(spread(each) for each in known.figures(found))),
        run=_run(known, those, wish, found, first),
        devices=Becomes(*(spread(each) for each in counts)),
        short=short,
        waiting=waited / (waited + found.seconds.size),
        deadlines=[Sooner(wish.deadline, spread(found.seconds), spread(found.answered), short)],
        basis=basis(fleet, those.devices, those.homes, paces, ways),
    )


def _extent(those: Crowd, wish: Wish, entries: int) -> tuple[int, int]:
    """Gives how many runs are played, and how many rounds of each."""
    devices = len(those.devices)
    rounds = min(wish.rounds, ROUNDS, max(LEAST, LOOKS // (WORLDS * devices)))
    asked = wish.cohort.size(max(1, int(those.admitted.sum()))) + rounds * wish.buffer
    runs = int(np.clip(min(LOOKS // (rounds * devices), 2 * entries // asked), WORLDS, RUNS))
    return runs, rounds


def _usual(known: Mapping[str, float], homes: Sequence[str]) -> Floats:
    """Gives what is known of each home, or else their mean."""
    mean = float(np.mean(list(known.values()))) if known else 0.0
    return np.asarray([known.get(name, mean) for name in homes])


def _run(known: _Known, those: Crowd, wish: Wish, found: Versions, first: tuple[float, float]) -> Takes:
    """Gives what whole runs take; rounds that were not played are as those in the middle, where everybody is long at work."""
    runs, rounds = found.seconds.shape
    wanted = float(wish.rounds)
    turns = rounds * float(found.answered.mean()) / max(1.0, float(found.asked[:, 0].mean()))
    grain = ceil(TURNS / max(turns, 1e-9))
    if rounds < wish.rounds and 1 < grain <= wish.staleness:
        # Not everybody has had its turn. With larger versions, which are as many fewer, one sees further.
        size = ceil(grain * max(1.0, float(found.answered.mean())))
        larger = replace(wish, buffer=size, staleness=wish.staleness // grain)
        wanted = wish.rounds / grain
        _, coarse = known.play(those, larger, runs, min(rounds, ceil(wanted)))
        found = found if coarse is None else coarse
    table, steady = (np.stack(known.figures(found, ends=ends), axis=2) for ends in (True, False))
    rounds = table.shape[1]
    middle = steady[:, rounds // 3 : max(rounds // 3 + 1, 2 * rounds // 3)].mean(1)
    whole = table.sum(1) + (wanted - rounds) * middle
    whole[:, 0] += known.ending(wish, len(whole))
    whole[:, 3] += first[0]
    whole[:, 5] += first[1]
    whole[:, 6] += first[1] / MB * known.power.joules_per_mb
    return Takes(*(spread(column) for column in whole.T))
