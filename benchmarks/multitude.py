"""Aggregation alone, over very many homes: `python -m benchmarks.multitude 100000`, a minute; a million take 15 and 12 GB.

Three tiers of regional gateways, fifty members below each of the lowest and ten or fewer below the others: homes hang on towns,
these on counties, these on states, and these on the cloud. A state names its 5,000 homes in one message, which may have
256 KiB. Town, county, state and cloud are the product's own programs.

A home is one member, which answers with an update that nobody has learnt: what is inside of it is not simulated, for above it
the answer of a gateway is one as a device's is. It is a stand-in (docs/decisions/0028), which says on its line what a device
would say, byte for byte.

One round, in as many processes as there are processors, of a model with as many parameters as softmax regression on the
handwritten digits has: a million updates of 20 KB, as those of `digits-mlp` are, would be 20 GB whatever one does. The program
that homes pull has nothing in it, for none of them runs it.
"""

import json
import os
import sys
import time

from benchmarks import bundles
from folkmoot.simulate import toy
from folkmoot.simulate.scenario.document import Data, Fleet, Line, Region, Scenario
from folkmoot.simulate.scenario.play import play
from folkmoot.wire import bundle

TOWN, STEP = 50, 10  # members of the lowest regional gateways, and of those above them
PARAMETERS = 64 * 10 + 10


def task() -> str:
    """Writes the task; gives where its bundle is."""
    path = bundles.place("multitude")
    path.parent.mkdir(parents=True, exist_ok=True)
    program = bundle.dump(toy.program(PARAMETERS))
    path.write_bytes(bundle.dump(bundle.Bundle(program=program, weights=bytes(4 * PARAMETERS))))
    return str(path)


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
    return Scenario(task=task(), fleet=fleet, data=Data(examples="none"), run=run)


def measure(homes: int) -> dict[str, float]:
    """Gives seconds, and what the round took on every hop and in the database."""
    began = time.monotonic()
    result = play(scenario(homes), os.cpu_count() or 1)
    (one,) = result.rounds
    assert one.merged == homes, f"{one.merged} of {homes} homes are in the model"
    seconds = time.monotonic() - began
    return {
        "seconds": seconds,
        "messages": one.messages,
        "gigabytes": one.bytes / 1e9,
        "rows": one.rows,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
