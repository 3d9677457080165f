"""Times the steps of a compiled program and of TensorFlow in turn: `python -m benchmarks.pace SOURCE BATCH`, one line of JSON.

Needs TensorFlow. benchmarks/step.py starts it, in an environment that leaves every library one thread.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median

import tensorflow as tf

from benchmarks import rival
from folkmoot.serve import reference
from folkmoot.serve.program import RUNTIMES
from tests.author import tensorflow_step

# Of one contender at a time, so that it finds its own things in the caches; short, so that what else the machine does meets
# all of them.
BLOCK = 0.1  # seconds
LEAST = 5  # steps of a block, however long they take
BLOCKS = 31
WARM = 20  # steps before any are timed: tracing, allocation, the first pages

Take = Callable[[], object]


def block(take: Take) -> float:
    """Gives the median seconds of a step, over a block of them."""
    times: list[float] = []
    until = time.perf_counter() + BLOCK
    while len(times) < LEAST or time.perf_counter() < until:
        began = time.perf_counter()
        take()
        times.append(time.perf_counter() - began)
    return median(times)


def contenders(source: str, batch: int) -> tuple[dict[str, Take], int, int]:
    """Gives what takes a step of each, TensorFlow and every runtime that is here; bytes of the .tflite; and parameters."""
    draft = rival.drafted(source, batch)
    made = tensorflow_step.compiled(draft)
    x, y = reference.batch(draft.contract, draft.batch)
    step, shown, wanted = rival.trained(draft), tf.constant(x), tf.constant(y)
    found: dict[str, Take] = {"tensorflow": lambda: step(shown, wanted).numpy()}
    assert draft.plan
    rate = draft.plan.learning_rate
    for name in RUNTIMES:
        if find_spec(name):
            learner = made.learner(name)
            found[name] = lambda learner=learner: learner.train(x, y, rate=rate, seed=1)  # type: ignore[misc]
    return found, len(made.program.tflite), draft.model.count_params()


def main(source: str, batch: str) -> None:
    """Prints the milliseconds of each, the median of blocks, and of each block's ratio to TensorFlow."""
    rival.one_thread()
    takes, size, parameters = contenders(source, int(batch))
    for take in takes.values():
        for _ in range(WARM):
            take()
    blocks: list[dict[str, float]] = []
    for number in range(BLOCKS):
        order = list(takes) if number % 2 else list(takes)[::-1]
        blocks.append({name: block(takes[name]) for name in order})
    milliseconds = {name: 1e3 * median(each[name] for each in blocks) for name in takes}
    ratios = {name: median(each[name] / each["tensorflow"] for each in blocks) for name in takes if name != "tensorflow"}
    print(json.dumps({"ms": milliseconds, "ratios": ratios, "bytes": size, "parameters": parameters}))


if __name__ == "__main__":
    main(*sys.argv[1:])
