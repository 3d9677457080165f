"""Homes that take their steps in processes, or answer in any order: the same comes of it."""

import multiprocessing
from collections.abc import Sequence
from random import Random
from typing import Self

import msgspec
import pytest

from folkmoot.simulate.result.tables import Result
from folkmoot.simulate.scenario import crew, profile
from folkmoot.simulate.scenario.crew import Died, Here, Hire, Step
from folkmoot.simulate.scenario.document import Absence, Data, Fleet, Kind, Line, Scenario
from folkmoot.simulate.scenario.play import play
from folkmoot.simulate.stuck import Stuck
from tests.shared.simulate.scenario.test_play import CARRIED, ROUGH, plain, scenario

OUTAGES = Fleet(
    homes=5, devices=20, kinds=(Kind(), ROUGH, CARRIED), away=Absence(every_hours=0.02, for_minutes=0.3), line=Line(loss=0.1)
)
RUN = {"rounds": 5, "deadline_seconds": 20, "plan": {"epochs": 1}}
SCENARIOS = {
    "regions": scenario(run=RUN),
    "outages": scenario(fleet=OUTAGES, run=RUN),
    "asynchronous": scenario(
        fleet=OUTAGES,
        data=Data(examples="none"),
        run={**RUN, "rounds": 10, "evaluate": False, "buffer": 2, "offline": {"staleness": 5, "discount": 0.5}},
    ),
}


class Late(Here):
    """Homes that answer when chance says so, some of them seldom. Nobody has them go back, or end elsewhere than the others."""

    def __init__(self, scenario: Scenario, branches: range, program: bytes, rng: Random) -> None:
        super().__init__(scenario, branches, program)
        self.rng, self.horizon, self.odds = rng, 0, rng.random() ** 4

    @classmethod
    def first(cls, busy: Sequence[Self]) -> Self:
        """Gives any of these."""
        (found,) = busy[0].rng.choices(busy, [each.odds for each in busy])
        return found

    def begin(self, step: Step) -> None:
        """Has them take a step."""
        assert step[0] >= self.horizon
        self.horizon = step[0]
        super().begin(step)

    def close(self, now: int) -> None:
        """Has them end at `now`, in ms."""
        assert now == self.horizon
        super().close(now)


def late(seed: int) -> Hire:
    """Gives what has each branch moved on by itself, as late as the seed says."""

    def hire(scenario: Scenario, program: bytes, workers: int) -> Sequence[Late]:
        rng = Random(seed)
        return [Late(scenario, range(at, at + 1), program, rng) for at in range(profile.branches(scenario))]

    return hire


@pytest.fixture(scope="module", params=sorted(SCENARIOS))
def alone(request: pytest.FixtureRequest) -> tuple[Scenario, Result]:
    """Gives a scenario, and what comes of it in this process."""
    scenario = SCENARIOS[request.param]
    return scenario, play(scenario, 0)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_processes_gives_the_same(alone: tuple[Scenario, Result], workers: int) -> None:
    scenario, result = alone
    assert plain(play(scenario, workers)) == plain(result)


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_answers_gives_the_same(alone: tuple[Scenario, Result], seed: int) -> None:
    scenario, result = alone
    assert plain(play(scenario, 0, hire=late(seed))) == plain(result)


def test_a_run_may_end_in_the_last_moment_of_its_hours_and_not_later(alone: tuple[Scenario, Result]) -> None:
    scenario, result = alone
    last = round(1000 * float(result.facts["virtual_seconds"])) - profile.lookahead(scenario)
    just = msgspec.structs.replace(scenario, hours=last / 3_600_000)
    assert plain(play(just, 0, hire=late(7))) == plain(result)
    for seed in range(3):
        with pytest.raises(Stuck, match="is not over after"):
            play(msgspec.structs.replace(scenario, hours=(last - 1) / 3_600_000), 0, hire=late(seed))


@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_ends_by_itself_ends_the_run_and_takes_the_others_with_it(which: int) -> None:
    def doomed(*given: object) -> Sequence[crew.Crew]:
        crews = crew.hire(*given)  # type: ignore[arg-type]
        crews[which]._process.kill()  # type: ignore[attr-defined]
        return crews

    with pytest.raises(Died):
        play(scenario(run={"rounds": 100_000}), 2, hire=doomed)
    assert not multiprocessing.active_children()
