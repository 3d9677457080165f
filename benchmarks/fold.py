"""How fast updates are judged and added up, beside a plain copy of the same bytes; and what memory that takes.

    python -m benchmarks.fold

Every figure of speed is a median of the thread's own time on the
processor, which is not stolen by whatever else runs (caches and memory are); a copy is measured right before each fold.
"""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial as bind
from statistics import median
from time import thread_time

import msgspec
import numpy as np

from folkmoot import parts
from folkmoot.parts import Fold
from folkmoot.serve.admission import Admission, Taken
from folkmoot.serve.lesson import transform_of
from folkmoot.wire import partial
from folkmoot.wire.layout import Layout, Tensor
from folkmoot.wire.messages import Answer, Ask
from folkmoot.wire.partial import Leaf, Partial

TENSORS = 10
REPEATS = 60
DIGEST = bytes(32)


@dataclass(frozen=True)
class Course:
    """Updates of one size, with all that is needed to judge them."""

    layout: Layout
    ask: Ask
    payload: bytes  # of a device called d-00000

    @classmethod
    def of(cls, parameters: int, transform: str | None = None) -> "Course":
        """Gives a course of updates with so many parameters in ten tensors, as they travel."""
        layout = Layout(tuple(Tensor(f"t{i}", (parameters // TENSORS,)) for i in range(TENSORS)))
        ask = Ask(run="run", round=1, phase="train", strategy="fedavg", program=DIGEST, weights=DIGEST, base=0, scale=20)
        ask = msgspec.structs.replace(ask, transform=transform)
        deltas = (np.random.default_rng(0).standard_normal(parameters) * 0.1).astype("<f4")
        groups = {"main": parts.travelling(np.split(deltas, TENSORS), 317, transform_of(transform), seed=0)}
        metrics = {"train_count": 317, "train_loss_u20": 99_000_000}
        return cls(layout, ask, partial.dump(Partial(groups=groups, leaves=(Leaf("d-00000"),), metrics=metrics)))

    def sent(self, number: int) -> bytes:
        """Gives the payload of another device: bytes of its own, as they come from a broker."""
        return self.payload.replace(b"d-00000", f"d-{number:05}".encode())

    def answer(self, payload: bytes) -> Answer:
        """Gives a payload's manifest."""
        return Answer(base=0, weights=DIGEST, program=DIGEST, payload=DIGEST, size=len(payload))


def take(course: Course, admission: Admission, fold: Fold, payload: bytes, member: str) -> None:
    """Decodes, judges and adds an update."""
    verdict = admission.judge(member, course.answer(payload), payload, {member})
    assert isinstance(verdict, Taken), verdict
    fold.add(verdict.partial)


def timed(work: Callable[[], object]) -> float:
    """Gives the seconds that a piece of work takes."""
    began = thread_time()
    work()
    return thread_time() - began


def speed(parameters: int, transform: str | None = None) -> tuple[float, float, float]:
    """Gives the median seconds of a copy, of adding an update that is decoded, and of decoding, judging and adding one."""
    course = Course.of(parameters, transform)
    sizes = {"main": [tensor.size for tensor in course.layout.tensors]}
    admission, fold = Admission(course.ask, course.layout, leaves=1), Fold(course.layout.sizes(), course.ask.scale)
    target = np.zeros(4 * parameters, np.uint8)
    seconds: list[tuple[float, float, float]] = []
    for number in range(REPEATS):
        loaded = (partial.load(course.sent(2 * number), limit=admission.limit) for _ in range(2))
        content, other = (parts.decoded(one, transform_of(transform), sizes) for one in loaded)
        payload, member = course.sent(2 * number + 1), f"d-{2 * number + 1:05}"
        copy = timed(bind(np.copyto, target, np.frombuffer(other.groups["main"].data, np.uint8)))
        add = timed(bind(fold.add, content))
        seconds.append((copy, add, timed(bind(take, course, admission, fold, payload, member))))
    middle = [median(column) for column in zip(*seconds, strict=True)]
    return middle[0], middle[1], middle[2]


def memory(updates: int, parameters: int) -> tuple[float, float]:
    """Gives what the aggregator keeps, and its peak with one payload arriving and then the sums leaving, in float32 models."""
    course = Course.of(parameters)
    admission = Admission(course.ask, course.layout, leaves=1)
    tracemalloc.start()
    fold = Fold(course.layout.sizes(), course.ask.scale)
    for number in range(updates):
        take(course, admission, fold, course.sent(number), f"d-{number:05}")
    kept = tracemalloc.get_traced_memory()[0]
    fold.partial()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return kept / (4 * parameters), peak / (4 * parameters)


def measure() -> dict[str, float]:
    """Gives all figures."""
    copy, add, judged = speed(1_000_000)
    kept, peak = memory(1_000, 100_000)
    return {
        "judged_us": speed(10_000)[2] * 1e6,  # decoded, judged by every screen, and added
        "judged_int8_us": speed(10_000, "int8")[2] * 1e6,
        "added_gb_s": 4e-3 / add,
        "judged_gb_s": 4e-3 / judged,
        "added_of_copy": copy / add,
        "copy_gb_s": 4e-3 / copy,
        "kept_models": kept,
        "peak_models": peak,  # a payload arriving, or the sums leaving
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
