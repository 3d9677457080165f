"""Aggregation alone, over very many homes: `python -m benchmarks.multitude 100000`, minutes.

Three tiers of regional gateways, fifty members below each of the lowest and ten below the others: homes hang on towns, these on
counties, these on states, and these on the cloud. (A state names its 5,000 homes in one message, which may have 256 KiB.) A
home is one member, which answers with an update that nobody has learnt: what is inside of it is not simulated, for above it the
answer of a gateway is one as a device's is. One round of `digits-mlp`, in as many processes as there are processors.
"""

import json
import os
import sys
import time

from benchmarks import bundles
from benchmarks.runner import MIB, watched
from folkmoot.simulate.scenario.document import Data, Fleet, Line, Region, Scenario
from folkmoot.simulate.scenario.play import play

TOWN, STEP = 50, 10  # members of the lowest regional gateways, and of those above them


def scenario(homes: int) -> Scenario:
    """Gives so many homes below three tiers of regional gateways. What the document calls homes are the towns here."""
    towns = homes // TOWN
    line = Line(latency_ms=(20.0, 40.0))
    regions = tuple(
        Region(name=name, count=max(1, towns // share), line=line) for name, share in (("state", STEP * STEP), ("county", STEP))
    )
    # The cap of a weight leaves room for every home in the exact sums (docs/simulation.md).
    run = {"rounds": 1, "evaluate": False, "precision": {"cap": 1}}
    fleet = Fleet(homes=towns, devices=homes, line=line, regions=regions)
    return Scenario(task=str(bundles.place("linear")), fleet=fleet, data=Data(examples="none"), run=run)


def measure(homes: int) -> dict[str, float]:
    """Gives seconds and memory of all, and what the round took on every hop and in the database."""
    began = time.monotonic()
    with watched(os.getpid()) as most:
        result = play(scenario(homes), os.cpu_count() or 1)
    (one,) = result.rounds
    assert one.merged == homes, f"{one.merged} of {homes} homes are in the model"
    seconds = time.monotonic() - began
    return {
        "seconds": seconds,
        "us_per_home": 1e6 * seconds / homes,
        "mib": most[0] / MIB,
        "messages": one.messages,
        "gigabytes": one.bytes / 1e9,
        "rows": one.rows,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
