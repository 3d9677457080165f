"""What a training process takes: `python -m benchmarks.pupil RUNTIME [PROGRAM WEIGHTS]`, one line of JSON.

Imports what a training process imports (folkmoot.serve.child) and nothing else; benchmarks/footprint.py starts it. Without a
program, it has loaded the runtime and is done: what any program comes on top of.
"""

import json
import sys
from pathlib import Path

from folkmoot.serve import child, memory, reference
from folkmoot.serve.program import Learner, runtime
from folkmoot.wire import bundle

EXAMPLES = 150  # of a device of the demo
STEPS = 200


def train(on: str, program_path: str, weights_path: str) -> None:
    """Does what a job does, with examples that are in memory: evaluates, trains, and takes the weights out."""
    program = bundle.program(Path(program_path).read_bytes())
    weights = Path(weights_path).read_bytes()
    learner, size = Learner(program, on=on), program.manifest.batch
    learner.set_weights(weights)
    x, y = reference.batch(program.manifest.contract, max(EXAMPLES // size, 1) * size)
    learner.evaluate(x[:size], y[:size])
    for number in range(STEPS):
        at = number * size % len(x)
        learner.train(x[at : at + size], y[at : at + size], rate=program.manifest.plan.learning_rate, seed=number)
    learner.get_weights()


def main(on: str, *paths: str) -> None:
    """Prints the most bytes that were resident."""
    assert child  # with all that it imports
    runtime(on)
    if paths:
        train(on, *paths)
    print(json.dumps({"peak": memory.peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
