"""What Flower's weighted average costs: `aggregate_arrayrecords`, which its FedAvg calls with all answers of a round.

An answer is a RecordDict as the ServerApp has it once its objects have come; taking it apart is not counted. Nothing is
checked.
"""

import json
import time
import tracemalloc
from statistics import median

import numpy as np
from flwr.app import ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords

TENSORS = 10
UPDATES = 100
REPEATS = 5


def answers(parameters: int, updates: int) -> list[RecordDict]:
    """Gives the answers of a round."""
    rng = np.random.default_rng(0)
    parts = [(rng.standard_normal(parameters // TENSORS) * 0.1).astype(np.float32) for _ in range(TENSORS)]
    return [
        RecordDict(
            {
                "arrays": ArrayRecord([part + np.float32(number) for part in parts]),
                "metrics": MetricRecord({"num-examples": 317 + number}),
            }
        )
        for number in range(updates)
    ]


def speed(parameters: int) -> float:
    """Gives the seconds of the processor that an update takes, the median of REPEATS rounds."""
    given, found = answers(parameters, UPDATES), []
    for _ in range(REPEATS):
        began = time.thread_time()
        aggregate_arrayrecords(given, "num-examples")
        found.append((time.thread_time() - began) / UPDATES)
    return median(found)


def memory(parameters: int, updates: int) -> float:
    """Gives what a round's answers and their sum take, in float32 models."""
    tracemalloc.start()
    given = answers(parameters, updates)
    merged = aggregate_arrayrecords(given, "num-examples")
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert merged
    return kept / (4 * parameters)


if __name__ == "__main__":
    figures = {"judged_us": speed(10_000) * 1e6, "added_gb_s": 4e-3 / speed(1_000_000), "kept_models": memory(100_000, 1_000)}
    print(json.dumps({**figures, "judged_gb_s": figures["added_gb_s"]}))
