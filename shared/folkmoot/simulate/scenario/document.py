"""What a scenario file says."""

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from folkmoot import config
from folkmoot.errors import UserFault
from folkmoot.link.hub_packets import Shape
from folkmoot.simulate.scenario import trace
from folkmoot.simulate.scenario.trace import Series

Above = Annotated[float, Meta(gt=0)]
NotBelow = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Hour = Annotated[float, Meta(ge=0, le=24)]
Span = tuple[Above, Above]
"""The least and the most: each device has a value of its own between them, drawn evenly on a logarithmic scale."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line to a broker."""

    latency_ms: Span = (5.0, 40.0)  # one way
    up_kbps: Span | None = None  # kilobits a second; None: as fast as one likes
    down_kbps: Span | None = None
    loss: Share = 0.0  # of TCP's segments, which are sent again


class Clock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How wrong wall clocks are: normally distributed around right, each with its own error."""

    off_hours: NotBelow = 0.0  # standard deviation at the beginning
    drift_ppm: NotBelow = 0.0  # and of what they gain, in millionths


class Battery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device runs on. What it takes beyond rest, the kind says."""

    joules: Span  # when it is full
    level: tuple[Percent, Percent] = (50.0, 100.0)  # at the beginning, drawn evenly
    rest_watts: NotBelow = 0.5
    charger_watts: NotBelow = 10.0
    charges: tuple[Hour, Hour] | None = None  # from when to when it is on its charger, every day; None: as its trace says
    starts: Percent = 5.0  # at which a device that was empty starts again


class Needs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without which a device takes no part."""

    battery: Percent = 0.0  # at least, unless it is charging
    charging: bool = False


class Trace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What devices do over time, from a table (folkmoot.simulate.scenario.trace)."""

    file: Path
    hours: Above = 24.0  # after which each trace begins anew
    shift: bool = False  # each device begins at another moment of its trace
    series: tuple[Series, ...] = ()  # what stands in the file


class Absence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often something is away, and for how long: both exponentially distributed."""

    every_hours: Above
    for_minutes: Above


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Devices of one kind."""

    name: Annotated[str, Meta(min_length=1, max_length=32)] = "device"
    share: Above = 1.0  # of the fleet, beside the others' shares
    step_ms: Span = (2.0, 20.0)  # of one training step
    overhead_ms: NotBelow = 100.0  # of a job beside its steps: loading, reading
    job_seconds: Annotated[tuple[Above, ...], Meta(min_length=1, max_length=1000)] | None = None  # instead: of training jobs
    job_noise: Annotated[float, Meta(ge=0, lt=1)] = 0.0  # standard deviation of these times, as a share of them
    line: Line = Line()
    away: Absence | None = None  # the connection is lost, and comes back
    reboot: Absence | None = None  # the device stops in whatever it does, and starts again
    watts: NotBelow = 2.0  # beyond rest, while it trains
    joules_per_mb: NotBelow = 5.0  # of what it sends and receives
    battery: Battery | None = None  # None: it is on the mains
    needs: Needs = Needs()
    trace: Trace | None = None
    clock: Clock = Clock()


class Region(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gateways of gateways: one tier of them, between the homes and the cloud."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,23}\Z")] = "region"
    count: Annotated[int, Meta(ge=1, le=100_000)]
    line: Line = Line(latency_ms=(5.0, 20.0))  # to the tier above
    away: Absence | None = None  # of that line


class Fleet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is there."""

    homes: Annotated[int, Meta(ge=1, le=1_000_000)] = 5
    devices: Annotated[int, Meta(ge=1, le=10_000_000)] = 100  # in all homes together
    kinds: Annotated[tuple[Kind, ...], Meta(min_length=1)] = (Kind(),)
    line: Line = Line(latency_ms=(20.0, 60.0))  # of a home to the cloud, or to its regional gateway
    away: Absence | None = None  # of that line
    clock: Clock = Clock()  # of gateways
    regions: tuple[Region, ...] = ()  # tiers of regional gateways, the one below the cloud first


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What devices have to learn from."""

    examples: Literal["digits", "generated", "none"] = "digits"
    each: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None  # examples of one device; None: the digits that there are
    alpha: Above = 1.0  # of the Dirichlet distribution of labels
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.2  # share of a device's examples that it is evaluated on


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A federation, and the run that it is to do."""

    name: Annotated[str, Meta(min_length=1, max_length=64)] = "scenario"
    seed: Annotated[int, Meta(ge=0, lt=1 << 53)] = 0
    task: str = "digits-mlp"  # one that comes with Folkmoot, or the path of a bundle
    fleet: Fleet = Fleet()
    data: Data = Data()
    run: dict[str, Any] = {}  # as in POST /v1/runs, without `task`
    hours: Above = 24 * 30.0  # of virtual time after which it is given up
    awake: Annotated[int, Meta(ge=0)] = 20_000  # devices that each process keeps as objects, 250 MB: no result depends on it


def load(path: Path) -> Scenario:
    """Reads a scenario. Raises UserFault, with one sentence that says what to change."""
    found = config.load(path, Scenario, "FOLKMOOT_SCENARIO", {})
    fleet = found.fleet
    if fleet.devices < fleet.homes:
        raise UserFault(f"{path}: {fleet.devices} devices are too few for {fleet.homes} homes: give each of them one at least")
    names = [tier.name for tier in fleet.regions]
    if len({"home", *names}) <= len(names):
        raise UserFault(
            f'{path}: tiers of regional gateways are called {", ".join(names)}: give each a name of its own, not "home"'
        )
    above = 1
    for what, count in (*((f"{tier.name} gateways", tier.count) for tier in fleet.regions), ("homes", fleet.homes)):
        if count < above:
            raise UserFault(
                f"{path}: {count} {what} are too few for the {above} gateways above: give each of them one at least"
            )
        above = count
    for what, (low, high) in _spans(found):
        if low > high:
            raise UserFault(f"{path}: {what} = [{low:g}, {high:g}]: write the smaller one first")
    return _traced(path, found)


def _traced(path: Path, scenario: Scenario) -> Scenario:
    """Gives the scenario with what stands in the files that it names. Raises UserFault."""
    kinds = []
    for kind in scenario.fleet.kinds:
        if kind.trace is not None:
            series = trace.read(kind.trace.file, kind.trace.hours)
            kinds.append(msgspec.structs.replace(kind, trace=msgspec.structs.replace(kind.trace, series=series)))
        else:
            kinds.append(kind)
        if reason := _unpowered(kinds[-1]):
            raise UserFault(f"{path}: {kind.name}: {reason}")
    return msgspec.structs.replace(scenario, fleet=msgspec.structs.replace(scenario.fleet, kinds=tuple(kinds)))


def _unpowered(kind: Kind) -> str:
    """Gives why a kind's battery, or what it needs of one, cannot be; "" where it can."""
    series = kind.trace.series if kind.trace is not None else ()
    level, charging = (bool(series) and trace.says(series, column) for column in ("battery", "charging"))
    if kind.battery is not None and level:
        return "its trace says how full its battery is, and so does `battery`: leave one of them out"
    if kind.battery is not None and kind.battery.charges is not None and charging:
        return "its trace says when it charges, and so does battery.charges: leave one of them out"
    if kind.needs.battery and kind.battery is None and not level:
        return "needs.battery, but it has none: give it a `battery`, or a trace with the column battery"
    if kind.needs.charging and not charging and (kind.battery is None or kind.battery.charges is None):
        return "needs.charging, but nothing says when it charges: give it battery.charges, or a trace with the column charging"
    return ""


def _spans(scenario: Scenario) -> list[tuple[str, Span]]:
    found = []
    for kind in scenario.fleet.kinds:
        found.append((f"step_ms of {kind.name}", kind.step_ms))
        if kind.battery is not None:
            found += [(f"battery.{name} of {kind.name}", getattr(kind.battery, name)) for name in ("joules", "level")]
        found += [(f"{name} of {kind.name}", span) for name, span in _of_line(kind.line)]
    for tier in scenario.fleet.regions:
        found += [(f"{name} of {tier.name}", span) for name, span in _of_line(tier.line)]
    return found + [(f"{name} of the homes", span) for name, span in _of_line(scenario.fleet.line)]


def _of_line(line: Line) -> list[tuple[str, Span]]:
    spans = {"latency_ms": line.latency_ms, "up_kbps": line.up_kbps, "down_kbps": line.down_kbps}
    return [(name, span) for name, span in spans.items() if span is not None]


def shape(line: Line, draw: Callable[[Span], float]) -> Shape:
    """Gives the line of one machine; `draw(span)` draws from a span."""
    latency = max(1, round(draw(line.latency_ms)))
    up, down = (inf if span is None else draw(span) / 8 for span in (line.up_kbps, line.down_kbps))  # kbit/s are bit/ms
    return Shape(latency, up, down, line.loss)
