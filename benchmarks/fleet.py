"""The pace of a simulated fleet: start-up and client-rounds a second. `python -m benchmarks.fleet digits`, or `wide`.

`digits`: 100 devices in 10 homes, the handwritten digits, 64-64-10, batches of 10, all of them in each round. `wide`: 1,000
devices in ten homes, 100 in a round, 32 generated examples each, 64-128-10, batches of 16. One epoch; nothing is evaluated.
Rounds go on for so many seconds, whatever their number. `python -m benchmarks.bundles narrow` (or `wide`) has made the task.
"""

import json
import logging
import os
import sys
from contextlib import suppress
from typing import Any

import msgspec

from benchmarks import bundles
from benchmarks.marks import Marks
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.play import Progress, play

SPAN = 15.0  # seconds from the first mark to the last one
LEAST = 4  # marks, however long they take
PLAN = {"epochs": 1, "learning_rate": 0.1}


def scenario(task: str, fleet: dict[str, int], data: dict[str, Any], **run: Any) -> Scenario:
    """Gives a scenario whose rounds train once over all examples of a device and evaluate nothing."""
    said = {"task": str(bundles.place(task)), "fleet": fleet, "data": {"holdout": 0.0, "alpha": 1000.0, **data}}
    return msgspec.convert({**said, "run": {"evaluate": False, "plan": PLAN, **run}}, Scenario)


# Name to scenario, and clients of a round.
FLEETS = {
    "digits": (scenario("narrow", {"homes": 10, "devices": 100}, {}, rounds=100_000), 100),
    "wide": (
        scenario(
            "wide",
            {"homes": 10, "devices": 1_000},
            {"examples": "generated", "each": 32},
            rounds=100_000,
            cohort={"devices": 100},
        ),
        100,
    ),
}


class Enough(Exception):
    """There is nothing more to learn."""


def measure(name: str) -> dict[str, float]:
    """Gives the pace of a fleet. Its first round is over when the first mark is made, or some rounds are."""
    fleet, clients = FLEETS[name]
    marks, known = Marks(), 0

    def tell(progress: Progress) -> None:
        nonlocal known
        if progress.rounds > known:
            known = progress.rounds
            marks.mark(known)
        if len(marks) >= LEAST and marks.span >= SPAN:
            raise Enough

    with suppress(Enough):
        play(fleet, os.cpu_count() or 1, tell)
    return marks.figures(clients)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # as the command does
    print(json.dumps(measure(sys.argv[1])))
