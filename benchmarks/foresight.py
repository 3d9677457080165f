"""How well runs are predicted: simulated fleets, of which the first rounds are measured and the next ones predicted.

    python -m benchmarks.foresight

Plays both scenarios of docs/examples/fleet, which takes some minutes. Prints for 1, 3, 10 and 20 rounds behind: the share of
the next rounds' seconds between the 10th and the 90th percentile, and by how many per cent the predicted median is off what
came: of a round's seconds, and of the seconds, drop-outs and joules of all next rounds together. At last, what ten rounds of
the first fleet say about the deadline of the second one, which is the same fleet.
"""

import sys
from pathlib import Path
from statistics import median

import numpy as np

from folkmoot.simulate.scenario import document
from folkmoot_cloud.predictions.forecast import forecast
from folkmoot_cloud.predictions.measured import Power, Wish
from folkmoot_cloud.predictions.outlook import Forecast
from folkmoot_cloud.runner.campaign import Cohort
from folkmoot_cloud.runner.load import selector
from tests.kit import played
from tests.kit.played import Played

FOLDER = Path(__file__).parent.parent / "docs" / "examples" / "fleet"
BEHIND = (1, 3, 10, 20)
MOST = 3_355  # devices that a round may ask, as the defaults of a run's precision have it
WATTS = 1.3  # of the devices of these fleets that take long, hence of nearly all energy
LEAST = 0.5  # of the next rounds that are to lie in the interval, from ten rounds on


def foresee(found: Played, behind: int, run: dict[str, int], deadline: float) -> Forecast:
    """Gives what is predicted of the rounds that come after so many."""
    cohort, ahead = Cohort(devices=run["cohort"]["devices"]), len(found.rounds) - behind  # type: ignore[index]
    wish = Wish(ahead, found.effort, cohort, run["min_answers"], deadline, run["over_selection"], MOST, evaluate=False)
    said = forecast(found.fleet(behind), wish, Power(WATTS), selector(), np.random.default_rng(0))
    assert said is not None
    return said


def off(predicted: float, real: float) -> str:
    """Gives an error as text."""
    return f"{100 * (predicted / real - 1):+.1f} %"


def main() -> int:
    """Measures; gives the exit code."""
    runs = {}
    worst = 1.0
    for name in ("fleet", "impatient"):
        scenario = document.load(FOLDER / f"{name}.toml")
        found = played.play(scenario, scenario.run["plan"]["epochs"], workers=2)
        runs[name] = scenario.run, found
        for behind in BEHIND:
            said = foresee(found, behind, scenario.run, scenario.run["deadline_seconds"])
            seconds = [one.seconds for one in found.rounds[behind:]]
            truth = found.result.rounds[behind:]
            low, high = said.round.seconds.p10 * 0.995, said.round.seconds.p90 * 1.005
            inside = float(np.mean([low <= each <= high for each in seconds]))
            if behind >= 10:
                worst = min(worst, inside)
            print(
                f"{name:10} {behind:3} behind: {inside:.2f} inside; a round {off(said.round.seconds.median, median(seconds))}; "
                f"together {off(said.run.seconds.median, sum(seconds))}, "
                f"drop-outs {off(said.run.drop_outs.median, sum(one.asked - one.merged for one in truth))}, "
                f"joules {off(said.run.joules.median, sum(one.joules for one in truth))}"
            )
    (run, patient), (short, impatient) = runs["fleet"], runs["impatient"]
    deadline = short["deadline_seconds"]
    said = foresee(patient, 10, run, deadline)
    real = median(one.seconds for one in impatient.rounds), median(one.merged for one in impatient.result.rounds)
    print(f"with {deadline} s instead of {run['deadline_seconds']} s, predicted and measured:")
    print(f"  a round of {said.round.seconds.median:.1f} s with {said.devices.answered.median:.0f} answers")
    print(f"  a round of {real[0]:.1f} s with {real[1]:.0f} answers")
    return int(worst < LEAST)


if __name__ == "__main__":
    sys.exit(main())
