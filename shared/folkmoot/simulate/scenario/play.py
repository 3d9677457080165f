"""A scenario from beginning to end."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from folkmoot import tasks
from folkmoot.errors import PeerFault, UserFault
from folkmoot.hop.ports import ROOM
from folkmoot.simulate.result.tables import Result, Scalar
from folkmoot.simulate.scenario import crew, outcome, profile
from folkmoot.simulate.scenario.centre import Centre
from folkmoot.simulate.scenario.clockwork import Clockwork
from folkmoot.simulate.scenario.crew import Crew, Hire
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.trade import MAX_PACKET
from folkmoot.simulate.tiers import tier
from folkmoot.wire import bundle, codec
from folkmoot.wire.messages import Device, Hello

LOOK = 0.2  # seconds between two words about how far it is


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    rounds: int  # that are over
    of: int
    seconds: float  # of virtual time


def play(
    scenario: Scenario, workers: int, tell: Callable[[Progress], None] = lambda progress: None, hire: Hire = crew.hire
) -> Result:
    """Runs a scenario, its homes in so many processes beside this one (0: in this one); gives the same for any number.

    `hire`: has the homes somewhere else instead.

    Raises UserFault where the scenario cannot be, Stuck where its run never ends.
    """
    began = perf_counter()
    data = read(scenario.task)
    content, program = bundle.load(data)
    _check_tree(scenario, program.manifest.contract.name)
    with _few_collections(scenario):
        crews = hire(scenario, content.program, workers)  # first: homes are built while the cloud's program is loaded
        try:
            return _run(scenario, Centre(scenario, data), crews, tell, {"workers": workers}, began)
        finally:
            for each in crews:
                each.leave()


def _check_tree(scenario: Scenario, contract: str) -> None:
    """Raises UserFault where more devices hang below a gateway of the cloud than its hello, one message, has room for."""
    fleet, tops = scenario.fleet, profile.branches(scenario)
    below = -(-fleet.devices // tops)
    one = Device("dev-0000000", "sleeping", scenario.data.each or 1_000, data=contract)
    bytes_each = len(codec.dump(Hello(devices=(one, one)))) - len(codec.dump(Hello(devices=(one,))))
    most = (MAX_PACKET - ROOM) // bytes_each
    if below > most:
        what = fleet.regions[0].name if fleet.regions else "home"
        raise UserFault(
            f"{below:,} devices hang below one gateway of the cloud, which can name {most:,} in its hello: have at least "
            f"{-(-fleet.devices // most):,} gateways of the tier {what}"
        )


@contextmanager
def _few_collections(scenario: Scenario) -> Iterator[None]:
    """Has Python look for cycles seldom: a fleet is millions of objects that stay, and to go through them takes its time.

    Machines leave cycles when they are stopped, put away, or lose a connection, and not otherwise.
    """
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.set_threshold(200_000, 50, 1_000)
    if profile.calm(scenario) and not profile.sleeps(scenario):
        gc.disable()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if enabled:
            gc.enable()


def _run(
    scenario: Scenario,
    centre: Centre,
    crews: Sequence[Crew],
    tell: Callable[[Progress], None],
    facts: dict[str, Scalar],
    began: float,
) -> Result:
    told = began

    def look() -> None:
        nonlocal told
        if perf_counter() - told > LOOK:
            told = perf_counter()
            tell(Progress(centre.done, centre.rounds, centre.agenda.now / 1000))

    end = Clockwork(scenario, centre, crews).run(look)
    for each in crews:
        each.close(end)
    records = [each.record() for each in crews]
    facts |= {
        "homes": scenario.fleet.homes,
        "devices": scenario.fleet.devices,
        "virtual_seconds": end / 1000,
        "wall_seconds": perf_counter() - began,
    }
    return outcome.result(scenario, tier("cloud").history(centre.rows, centre.messages), records, facts)


def read(task: str) -> bytes:
    """Gives the bundle that a scenario names. Raises UserFault where there is none."""
    if task in tasks.names():
        return tasks.read(task)
    try:
        data = Path(task).read_bytes()
        bundle.load(data)
    except OSError:
        raise UserFault(f"task = {task!r} is no file, and none of {', '.join(tasks.names())}: name one of them") from None
    except PeerFault as fault:
        raise UserFault(f"task = {task!r} is no bundle: {fault}") from None
    return data
