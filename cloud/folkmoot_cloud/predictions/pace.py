"""How long devices take for a job, as the rounds tell that asked them.

A job takes `overhead + steps * rate` seconds, as in the system models of Oort (Lai et al., OSDI 2021) and FedScale (Lai et al.,
ICML 2022); here both terms are a device's own measurements, and the rate is a distribution.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from folkmoot_cloud.predictions.measured import Fleet, Past, homes_of, waited
from folkmoot_cloud.predictions.patience import at_home
from folkmoot_cloud.predictions.samples import Measured, Spread, spread
from folkmoot_cloud.rounds.fates import Fate

PAIRS_OF = 20  # jobs of a device, the newest, of which pairs are looked at

Jobs = dict[str, list[tuple[int, float]]]
"""By device: steps and seconds of each job."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long jobs take, by device."""

    rates: Spread  # seconds of a step
    overheads: Mapping[str, float]  # seconds of a job beside its steps
    usual_overhead: float  # of who has none of its own
    measurements: int
    split: bool  # whether anybody's jobs had different steps: otherwise all of a job is taken to go with its steps

    def overhead(self, device: str) -> float:
        """Gives the seconds of a device's jobs beside their steps."""
        return self.overheads.get(device, self.usual_overhead)

    def usual(self, device: str, steps: int) -> float:
        """Gives what a job usually takes a device; 0 where nothing is known of it."""
        rates = self.rates.of.get(device)
        return 0.0 if rates is None else self.overhead(device) + steps * rates.usual


def pace(fleet: Fleet, usual_way: float) -> Pace:
    """Gives how long jobs take; `usual_way`: seconds that a home's answer takes beside them."""
    jobs, cut = _jobs(fleet), Jobs()
    for name, steps, seconds in _cut(fleet, jobs, usual_way):
        cut.setdefault(name, []).append((steps, seconds))
    overheads = {name: fitted for name, each in jobs.items() if (fitted := _overhead(each)) is not None}
    usual = median(overheads.values()) if overheads else 0.0
    found: dict[str, Measured] = {}
    for name in {**jobs, **cut}:
        fixed = overheads.get(name, usual)
        exact, beyond = ([max(0.0, seconds - fixed) / steps for steps, seconds in each.get(name, ())] for each in (jobs, cut))
        found[name] = Measured(exact, beyond)
    return Pace(spread(found, fleet.kinds), overheads, usual, sum(map(len, jobs.values())), bool(overheads))


def _jobs(fleet: Fleet) -> Jobs:
    found = Jobs()
    for past in fleet.rounds:
        for one in past.members:
            if one.train_seconds is not None and one.steps:
                found.setdefault(one.device, []).append((one.steps, one.train_seconds))
    return found


def _cut(fleet: Fleet, jobs: Jobs, usual_way: float) -> Iterator[tuple[str, int, float]]:
    """Yields device, steps and least seconds of jobs that were not done when their round was over."""
    examples = {device.name: device.examples for device in fleet.devices}
    for past in fleet.rounds:
        for home, devices in homes_of(past.members):
            steps = {one.device: past.effort.of(examples.get(one.device, 0)) for one in devices}
            if home.fate == "answered":
                for one in devices:
                    if one.fate == "late" and steps[one.device]:
                        yield one.device, steps[one.device], _bound(one, home, devices, past)
            elif home.fate == "late":
                # One of those that nobody has measured has kept its home: most likely the one that had most to do.
                unknown = [(steps[one.device], one.device) for one in devices if one.device not in jobs]
                most, suspect = max(unknown, default=(0, ""))
                if most:
                    yield suspect, most, max(0.0, min(waited(home, past), at_home(past.deadline)) - usual_way)


def _bound(one: Fate, home: Fate, devices: Sequence[Fate], past: Past) -> float:
    """Gives how long a device worked at least that was late, in a home that has answered."""
    merged = [each.train_seconds for each in devices if each.train_seconds is not None]
    if one.reason == "goal" and merged:
        return max(merged)
    until = at_home(past.deadline)
    return until if home.seconds is None else min(home.seconds, until)


def _overhead(jobs: Sequence[tuple[int, float]]) -> float | None:
    """Gives the seconds of a device's jobs beside their steps, by the median of slopes; None where all had the same steps.

    (P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968)
    """
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(jobs[-PAIRS_OF:], 2) if a[0] != b[0]]
    if not slopes:
        return None
    slope = max(0.0, median(slopes))
    return max(0.0, median(seconds - slope * steps for steps, seconds in jobs))
