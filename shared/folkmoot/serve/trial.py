"""`python -m folkmoot.serve.trial PROGRAM WEIGHTS`: ten steps of a program on the installed runtime, in a process of its own.

Writes one line of JSON: the losses, the resident memory that loading and training added, and the time of a step. The compiler
checks with it what it has made; in a process of its own, because only a fresh one shows what memory a program takes.
"""

import json
import sys
import time
from pathlib import Path

from folkmoot.serve import memory, reference
from folkmoot.serve.program import Learner
from folkmoot.wire import bundle

WARM = 100  # steps that are timed, after the ten that allocate and fill the caches


def main(program_path: str, weights_path: str) -> None:
    """Runs the trial and writes what it found to standard output."""
    program = bundle.program(Path(program_path).read_bytes())
    weights = Path(weights_path).read_bytes()
    memory.reset_peak()
    before = memory.resident()
    learner = Learner(program)
    rate = float(program.manifest.reference["learning_rate"])
    losses = reference.losses(learner, weights, rate)
    x, y = reference.batch(program.manifest.contract, program.manifest.batch)
    learner.evaluate(x, y)
    learner.get_weights()
    peak = memory.peak() - before
    began = time.perf_counter()
    for _ in range(WARM):
        learner.train(x, y, rate=rate)
    seconds = (time.perf_counter() - began) / WARM
    print(json.dumps({"losses": losses, "peak_bytes": peak, "step_seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
