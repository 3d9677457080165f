"""What the machines of a scenario are: a pure function of the scenario and of their names."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import exp, log
from random import Random

from folkmoot.link.hub_packets import Shape
from folkmoot.simulate.clock import Setting, Skew
from folkmoot.simulate.scenario.battery import Battery
from folkmoot.simulate.scenario.document import Absence, Clock, Kind, Needs, Scenario, Span, shape
from folkmoot.simulate.scenario.trace import Course

# To put a home of 20 devices away and bring it back takes 6 ms; their part in a round, where all are asked, some 35 ms. It is
# done only where most branches sleep through most rounds.
BUSY = 0.5  # of the branches that a round asks
# Machines take 5 s to come up, and what comes up cannot be put away (folkmoot.simulate.scenario.branches): a large fleet that
# came up at once would take as much memory as if nothing ever were.
AT_ONCE = 1_000  # devices that come up together
RATE = 1_000  # devices a second that come up after them
STRIDE = 7_919  # a prime: neighbours, which one process has, come up at times of their own


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
class Gateway:
    """A gateway, of a home or of other gateways."""

    name: str
    shape: Shape  # of its line to what is above
    away: Absence | None  # of that line
    below: range  # numbers of what hangs on it: devices, homes, or the gateways of the next tier
    seed: int


def branches(scenario: Scenario) -> int:
    """Gives how many gateways hang on the cloud itself."""
    fleet = scenario.fleet
    return fleet.regions[0].count if fleet.regions else fleet.homes


def begins(scenario: Scenario, branch: int) -> int:
    """Gives from when on the machines of a branch come up, in ms: those of a small or busy fleet all at once."""
    if not sleeps(scenario):
        return 0
    count = branches(scenario)
    rank = branch * STRIDE % count
    return max(0, rank * scenario.fleet.devices // count - AT_ONCE) * 1000 // RATE


def settled(scenario: Scenario) -> int:
    """Gives when all branches have begun, in ms."""
    return max(0, scenario.fleet.devices - AT_ONCE) * 1000 // RATE if sleeps(scenario) else 0


def sleeps(scenario: Scenario) -> bool:
    """Whether most branches have nothing to do in most rounds."""
    return busy(scenario) < BUSY


def busy(scenario: Scenario) -> float:
    """Gives the share of the branches that a round asks somebody of, where chance picks whom it asks."""
    devices = scenario.fleet.devices
    match scenario.run.get("cohort"):
        case {"devices": int(wanted)}:
            share = wanted / devices
        case {"fraction": float(share) | int(share)}:
            pass
        case _:
            return 1.0
    return 1 - float((1 - min(1.0, max(0.0, share))) ** (devices / branches(scenario)))


def plain(scenario: Scenario, size: int, room: int) -> bool:
    """Whether nothing befalls devices that have nothing to learn: what one of them does, a stand-in can do as well.

    `size`: bytes of a model and of an update, one of which has `room` in a message.
    """
    return (
        scenario.data.examples == "none"
        and size <= room
        and not {"offline", "buffer"} & scenario.run.keys()  # what is late would be an answer all the same
        and all(_calm(kind) for kind in scenario.fleet.kinds)
    )


def calm(scenario: Scenario) -> bool:
    """Whether nothing befalls anybody: no machine is ever stopped, and no connection lost."""
    fleet = scenario.fleet
    return fleet.away is None and all(one.away is None for one in fleet.regions) and all(_calm(kind) for kind in fleet.kinds)


def _calm(kind: Kind) -> bool:
    """Whether a device of this kind is always there, and always takes part."""
    befalls = (kind.away, kind.reboot, kind.battery, kind.trace)
    return all(one is None for one in befalls) and kind.needs == Needs()


def region(scenario: Scenario, tier: int, number: int) -> Gateway:
    """Gives a regional gateway by its tier, 0 below the cloud, and its number there."""
    regions = scenario.fleet.regions
    mine = regions[tier]
    below = regions[tier + 1].count if tier + 1 < len(regions) else scenario.fleet.homes
    rng = _rng(scenario, f"region {tier} {number}")
    line = shape(mine.line, partial(_draw, rng))
    return Gateway(f"{mine.name}-{number:04d}", line, mine.away, _share(below, mine.count, number), rng.getrandbits(48))


def home(scenario: Scenario, number: int) -> Gateway:
    """Gives the gateway of a home by its number."""
    fleet = scenario.fleet
    rng = _rng(scenario, f"home {number}")
    line = shape(fleet.line, partial(_draw, rng))
    below = _share(fleet.devices, fleet.homes, number)
    return Gateway(f"home-{number:06d}", line, fleet.away, below, rng.getrandbits(48))


def _share(things: int, among: int, number: int) -> range:
    """Gives which of so many things are that one's, when they are dealt evenly."""
    return range(number * things // among, (number + 1) * things // among)


def device(scenario: Scenario, number: int) -> Device:
    """Gives a device by its number."""
    rng = _rng(scenario, f"device {number}")
    kinds = scenario.fleet.kinds
    (kind,) = rng.choices(kinds, [kind.share for kind in kinds])
    step_ms, line = _draw(rng, kind.step_ms), shape(kind.line, partial(_draw, rng))
    return Device(number, f"dev-{number:07d}", kind, step_ms, line, rng.getrandbits(48))


def lookahead(scenario: Scenario) -> int:
    """Gives the least ms that a packet is on its way between the cloud and what hangs on it."""
    fleet = scenario.fleet
    line = fleet.regions[0].line if fleet.regions else fleet.line
    return max(1, int(line.latency_ms[0]))


def clock(what: Clock, seed: int) -> Setting:
    """Gives how a machine's wall clock is set."""
    if what == Clock():
        return "right"
    rng = Random(f"{seed} clock")  # noqa: S311  # repeatable
    return Skew(round(rng.gauss(0, what.off_hours) * 3_600_000), rng.gauss(0, what.drift_ppm) / 1e6)


def battery(device: Device) -> Battery | None:
    """Gives a device's battery at the beginning, where its kind has one."""
    what = device.kind.battery
    if what is None:
        return None
    rng = Random(f"{device.seed} battery")  # noqa: S311  # repeatable
    joules = _draw(rng, what.joules)
    return Battery(joules, joules * rng.uniform(*what.level) / 100, what.charger_watts)


def course(device: Device) -> Course | None:
    """Gives a device's trace, and where in it the device begins, where its kind has any."""
    what = device.kind.trace
    if what is None:
        return None
    rng = Random(f"{device.seed} trace")  # noqa: S311  # repeatable
    period = round(what.hours * 3_600_000)
    return Course(rng.choice(what.series), period, rng.randrange(period) if what.shift else 0)


def absences(what: Absence, seed: int) -> Iterator[tuple[int, int]]:
    """Yields when somebody leaves and comes back, in ms, without end."""
    rng = Random(seed)  # noqa: S311  # repeatable
    now = 0
    while True:
        gone = now + max(1, round(rng.expovariate(1 / (what.every_hours * 3_600_000))))
        now = gone + max(1, round(rng.expovariate(1 / (what.for_minutes * 60_000))))
        yield gone, now


def jobs(device: Device) -> Iterator[float]:
    """Yields how long one job after another of a device takes, in ms, without end, where its kind says so.

    Each of the kind's times comes as often as the others, in an order of chance.
    """
    kind = device.kind
    assert kind.job_seconds is not None
    rng = Random(f"{device.seed} jobs")  # noqa: S311  # repeatable
    while True:
        for seconds in rng.sample(kind.job_seconds, len(kind.job_seconds)):
            yield 1000 * seconds * rng.gauss(1, kind.job_noise)


def _rng(scenario: Scenario, of: str) -> Random:
    return Random(f"{scenario.seed} {of}")  # noqa: S311  # repeatable


def _draw(rng: Random, span: Span) -> float:
    low, high = span
    return low if low == high else exp(rng.uniform(log(low), log(high)))
