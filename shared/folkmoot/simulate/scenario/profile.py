"""What the machines of a scenario are: a pure function of the scenario and of their names."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import exp, log
from random import Random

from folkmoot.link.hub_packets import Shape
from folkmoot.simulate.scenario.document import Absence, Kind, Scenario, Span, shape


@dataclass(frozen=True, slots=True)
class Device:
    """One device."""

    number: int  # among all
    name: str
    kind: Kind
    step_ms: float
    shape: Shape
    seed: int


@dataclass(frozen=True, slots=True)
class Home:
    """One home: its gateway, and how many devices stand in it."""

    number: int
    name: str
    first: int  # number of its first device
    devices: int
    shape: Shape  # of its line to the cloud
    seed: int


def home(scenario: Scenario, number: int) -> Home:
    """Gives a home by its number."""
    fleet = scenario.fleet
    first, last = (at * fleet.devices // fleet.homes for at in (number, number + 1))
    rng = _rng(scenario, f"home {number}")
    line = shape(fleet.line, partial(_draw, rng))
    return Home(number, f"home-{number:06d}", first, last - first, line, rng.getrandbits(48))


def devices(scenario: Scenario, of: Home) -> list[Device]:
    """Gives the devices of a home."""
    return [device(scenario, number) for number in range(of.first, of.first + of.devices)]


def device(scenario: Scenario, number: int) -> Device:
    """Gives a device by its number."""
    rng = _rng(scenario, f"device {number}")
    kinds = scenario.fleet.kinds
    (kind,) = rng.choices(kinds, [kind.share for kind in kinds])
    step_ms, line = _draw(rng, kind.step_ms), shape(kind.line, partial(_draw, rng))
    return Device(number, f"dev-{number:07d}", kind, step_ms, line, rng.getrandbits(48))


def lookahead(scenario: Scenario) -> int:
    """Gives the least ms that a packet is on its way between a home and the cloud."""
    return max(1, int(scenario.fleet.line.latency_ms[0]))


def absences(what: Absence, seed: int) -> Iterator[tuple[int, int]]:
    """Yields when somebody leaves and comes back, in ms, without end."""
    rng = Random(seed)  # noqa: S311  # repeatable
    now = 0
    while True:
        gone = now + max(1, round(rng.expovariate(1 / (what.every_hours * 3_600_000))))
        now = gone + max(1, round(rng.expovariate(1 / (what.for_minutes * 60_000))))
        yield gone, now


def _rng(scenario: Scenario, of: str) -> Random:
    return Random(f"{scenario.seed} {of}")  # noqa: S311  # repeatable


def _draw(rng: Random, span: Span) -> float:
    low, high = span
    return low if low == high else exp(rng.uniform(log(low), log(high)))
