"""How well runs are predicted: simulated fleets, of which the first rounds are measured and the next ones predicted.

    python -m benchmarks.foresight

Plays the scenarios of docs/examples/fleet, and the first one as asynchronous runs, which takes some minutes. Prints for 1, 3,
10 and 20 rounds behind: the share of the next rounds' seconds between the 10th and the 90th percentile, and by how many per
cent the predicted median is off what came: of a round's seconds, and of the seconds, drop-outs and joules of all next rounds
together. Asynchronous runs are predicted from rounds that wait for all, and from their own first ones; FLARE's example as the
seconds of 16 updates. At last, what ten rounds of the first fleet say about the deadline of the second one, which is the same
fleet.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np

from folkmoot.simulate.scenario import document
from folkmoot.simulate.scenario.document import Scenario
from folkmoot_cloud.predictions.forecast import forecast
from folkmoot_cloud.predictions.measured import Power, Wish
from folkmoot_cloud.predictions.outlook import Forecast
from folkmoot_cloud.runner.campaign import Cohort
from folkmoot_cloud.runner.load import selector
from tests.kit import played
from tests.kit.played import Played

FOLDER = Path(__file__).parent.parent / "docs" / "examples" / "fleet"
BEHIND = (1, 3, 10, 20)
OWN = (10, 30)  # versions of an asynchronous run
BUFFERS = (30, 10)
VERSIONS = 90
MOST = 3_355  # devices that a round may ask, as the defaults of a run's precision have it
WATTS = 1.3  # of the devices of these fleets that take long, hence of nearly all energy
LEAST = 0.5  # of the next rounds that are to lie in the interval, from ten rounds on
PUBLISHED = 238.3  # seconds of 16 updates, by NVIDIA FLARE (benchmarks/asynchrony.py)


def foresee(found: Played, behind: int, run: Mapping[str, Any], deadline: float, rounds: int) -> Forecast:
    """Gives what is predicted of so many rounds of a run, with the first ones of a fleet behind."""
    cohort = Cohort(devices=run["cohort"]["devices"] if "cohort" in run else None)
    wish = Wish(
        rounds,
        found.effort,
        cohort,
        run.get("min_answers", 1),
        deadline,
        run.get("over_selection", 1.0),
        MOST,
        evaluate=False,
        buffer=run.get("buffer", 0),
        staleness=run["offline"]["staleness"] if "offline" in run else 0,
    )
    said = forecast(found.fleet(behind), wish, Power(WATTS), selector(), np.random.default_rng(0))
    assert said is not None
    return said


def streaming(scenario: Scenario, buffer: int) -> Scenario:
    """Gives the same fleet with an asynchronous run."""
    kept = {name: value for name, value in scenario.run.items() if name != "over_selection"}
    policy = {"staleness": 20, "discount": 0.5}
    run = {**kept, "rounds": VERSIONS, "min_answers": 5, "buffer": buffer, "offline": policy}
    return msgspec.structs.replace(scenario, run=run)


def judge(title: str, said: Forecast, found: Played, start: int, lost: int) -> float:
    """Prints how far a prediction of the rounds from `start` on is off; gives the share of their seconds that it holds.

    `lost`: devices that they have asked and that are in no version.
    """
    seconds, truth = [one.seconds for one in found.rounds[start:]], found.result.rounds[start:]
    low, high = said.round.seconds.p10 * 0.995, said.round.seconds.p90 * 1.005
    inside = float(np.mean([low <= each <= high for each in seconds]))
    print(
        f"{title}: {inside:.2f} inside; a round {off(said.round.seconds.median, median(seconds))}; "
        f"together {off(said.run.seconds.median, sum(seconds))}, drop-outs {off(said.run.drop_outs.median, lost)}, "
        f"joules {off(said.run.joules.median, sum(one.joules for one in truth))}"
    )
    return inside


def off(predicted: float, real: float) -> str:
    """Gives an error as text."""
    return f"{100 * (predicted / real - 1):+.1f} %"


def main() -> int:
    """Measures; gives the exit code."""
    runs: dict[str, tuple[Mapping[str, Any], Played]] = {}
    worst = 1.0
    for name in ("fleet", "impatient"):
        scenario = document.load(FOLDER / f"{name}.toml")
        found = played.play(scenario, scenario.run["plan"]["epochs"], workers=2)
        runs[name] = scenario.run, found
        for behind in BEHIND:
            said = foresee(found, behind, scenario.run, scenario.run["deadline_seconds"], len(found.rounds) - behind)
            lost = sum(one.asked - one.merged for one in found.result.rounds[behind:])
            inside = judge(f"{name:10} {behind:3} behind", said, found, behind, lost)
            worst = min(worst, inside if behind >= 10 else 1.0)
    (run, patient), (short, impatient) = runs["fleet"], runs["impatient"]
    worst = min(worst, *(streams(patient, buffer) for buffer in BUFFERS))
    flare()
    deadline = short["deadline_seconds"]
    said = foresee(patient, 10, run, deadline, 20)
    real = median(one.seconds for one in impatient.rounds), median(one.merged for one in impatient.result.rounds)
    print(f"with {deadline} s instead of {run['deadline_seconds']} s, predicted and measured:")
    print(f"  a round of {said.round.seconds.median:.1f} s with {said.devices.answered.median:.0f} answers")
    print(f"  a round of {real[0]:.1f} s with {real[1]:.0f} answers")
    return int(worst < LEAST)


def streams(patient: Played, buffer: int) -> float:
    """Predicts asynchronous runs of the first fleet; gives the least share that is inside, from ten rounds on."""
    scenario = streaming(document.load(FOLDER / "fleet.toml"), buffer)
    found = played.play(scenario, scenario.run["plan"]["epochs"], workers=2)
    deadline, shares = scenario.run["deadline_seconds"], []

    def lost(start: int) -> int:
        return sum(not one.merged_in for one in found.result.members if one.round > start)

    for behind in BEHIND:
        said = foresee(patient, behind, scenario.run, deadline, VERSIONS)
        shares.append(judge(f"buffer {buffer:3} {behind:3} behind", said, found, 0, lost(0)))
    for behind in OWN:
        said = foresee(found, behind, scenario.run, deadline, VERSIONS - behind)
        shares.append(judge(f"buffer {buffer:3} {behind:3} of its own behind", said, found, behind, lost(behind)))
    return min(shares[2:])


def flare() -> None:
    """Predicts FLARE's asynchronous example from rounds that wait for all, and these from its versions."""
    waits, found = (
        played.play(document.load(FOLDER / f"{name}.toml"), 1, workers=2) for name in ("synchronous", "asynchronous")
    )
    run = document.load(FOLDER / "asynchronous.toml").run
    real = 16 * sum(one.seconds for one in found.rounds) / len(found.rounds)
    for behind in BEHIND:
        said = foresee(waits, behind, run, run["deadline_seconds"], run["rounds"])
        seconds = 16 * said.run.seconds.median / run["rounds"]
        print(f"16 updates, {behind:3} behind: {seconds:.1f} s; {off(seconds, real)}, and {off(seconds, PUBLISHED)} of FLARE's")


if __name__ == "__main__":
    sys.exit(main())
