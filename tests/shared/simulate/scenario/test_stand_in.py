"""A run whose devices are stood in for is, to the byte, the run of the real agents."""

import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from folkmoot.simulate.result.tables import Result
from folkmoot.simulate.scenario import branch, profile
from folkmoot.simulate.scenario import play as playing
from folkmoot.simulate.scenario.centre import Centre
from folkmoot.simulate.scenario.document import Absence, Battery, Clock, Data, Fleet, Kind, Line, Needs, Region, Scenario, Trace
from folkmoot.simulate.scenario.play import play
from folkmoot.simulate.scenario.trace import State
from tests.shared.simulate.scenario.test_play import plain

TWO = (Region(name="state", count=2), Region(name="town", count=3))
AWAY = Absence(every_hours=0.02, for_minutes=0.3)
SLOW = Kind(name="slow", line=Line(latency_ms=(50.0, 900.0), up_kbps=(8.0, 40.0), down_kbps=(30.0, 90.0), loss=0.1))
WAYS = Kind(name="ways", job_seconds=(0.5, 2.0, 9.0, 70.0), job_noise=0.3, clock=Clock(off_hours=30.0, drift_ppm=90.0))
SCENARIOS: dict[str, dict[str, Any]] = {
    "one round": {},
    "rounds and evaluation": {"rounds": 4, "evaluate": True},
    "tiers": {"regions": TWO, "rounds": 3, "evaluate": True},
    "some of them": {"regions": TWO, "rounds": 5, "cohort": {"devices": 7}},
    "a fraction, twice": {"rounds": 4, "cohort": {"fraction": 0.3}, "over_selection": 1.5},
    "int8": {"rounds": 2, "transform": "int8", "regions": TWO[:1]},
    "short": {"kinds": (Kind(), WAYS), "rounds": 6, "deadline_seconds": 3},
    "slow": {"kinds": (SLOW, WAYS), "rounds": 4, "deadline_seconds": 40, "evaluate": True},
    "slow and short": {"kinds": (SLOW, Kind(step_ms=(5_000.0, 30_000.0))), "rounds": 5, "deadline_seconds": 10},
    "homes are away": {"kinds": (Kind(), WAYS), "away": AWAY, "rounds": 5, "deadline_seconds": 20, "regions": TWO[1:]},
    "regions are away": {"regions": (Region(name="town", count=3, away=AWAY),), "rounds": 4, "deadline_seconds": 20},
}


def scenario(seed: int = 0, **fields: Any) -> Scenario:
    """Gives a small one in which nobody trains; fields are those of the fleet, or of the run."""
    fleet = {name: fields.pop(name) for name in ("kinds", "regions", "away") if name in fields}
    run = {"rounds": 1, "evaluate": False, "plan": {"epochs": 1}} | fields
    return Scenario(seed=seed, fleet=Fleet(homes=6, devices=27, **fleet), data=Data(examples="none"), run=run)


class Seen:
    """Plays scenarios; sees what the cloud has stored, and who took the devices' part."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, given: Scenario, *, real: bool, workers: int = 0) -> tuple[Result, str, int]:
        """Gives the tables of a run, all that its cloud has stored, models included, and how many stand-ins there were."""
        centres: list[Centre] = []
        made: list[Any] = []

        def centre(*given: Any) -> Centre:
            centres.append(Centre(*given))
            return centres[0]

        class StandIn(branch.StandIn):
            __slots__ = ()

            def start(self) -> None:
                made.append(self)
                super().start()

        with self._monkeypatch.context() as patched:
            patched.setattr(playing, "Centre", centre)
            patched.setattr(branch, "StandIn", StandIn)
            if real:
                patched.setattr(profile, "plain", lambda *given: False)
            result = play(given, workers)
        with np.printoptions(threshold=sys.maxsize):
            return result, re.sub("<memory at [^>]*>", "", repr(centres[0].rows)), len(made)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Gives who plays."""
    return Seen(monkeypatch)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_with_stand_ins_is_the_run_of_the_real_agents(seen: Seen, name: str, seed: int) -> None:
    given = scenario(seed, **SCENARIOS[name])
    ours, stored, count = seen(given, real=False)
    theirs, kept, none = seen(given, real=True)
    assert (count, none) == (27, 0)
    assert plain(ours) == plain(theirs)
    assert stored == kept


def test_stand_ins_do_as_well_in_other_processes(seen: Seen) -> None:
    given = scenario(**SCENARIOS["tiers"])
    assert plain(seen(given, real=False, workers=2)[0]) == plain(seen(given, real=True)[0])


@pytest.mark.parametrize(
    "kind",
    [
        Kind(away=AWAY),
        Kind(reboot=AWAY),
        Kind(battery=Battery(joules=(9e9, 9e9))),
        Kind(needs=Needs(charging=True), battery=Battery(joules=(9e9, 9e9), charges=(0, 24))),
        Kind(trace=Trace(file=Path("none.csv"), series=((State(0, connected=True),),))),
    ],
)
def test_devices_that_something_may_befall_are_the_real_ones(seen: Seen, kind: Kind) -> None:
    _, _, count = seen(scenario(kinds=(Kind(), kind)), real=False)
    assert count == 0


def test_where_late_answers_count_devices_are_the_real_ones(seen: Seen) -> None:
    _, _, count = seen(scenario(offline={"staleness": 1}), real=False)
    assert count == 0


def test_where_a_model_is_larger_than_a_message_devices_are_the_real_ones(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branch, "INLINE", 20_000)
    _, _, count = seen(scenario(), real=False)
    assert count == 0


def test_devices_that_learn_are_the_real_ones(seen: Seen) -> None:
    _, _, count = seen(msgspec.structs.replace(scenario(), data=Data(each=20)), real=False)
    assert count == 0
