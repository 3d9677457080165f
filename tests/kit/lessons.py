"""What a training process needs, in a folder: a packaged program, its weights, a store of made-up digits."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from folkmoot import tasks
from folkmoot.serve.conversation import Job
from folkmoot.store.examples import Examples
from folkmoot.wire import bundle
from folkmoot.wire.bundle import Bundle, Program

CONTRACT = "digits-8x8"
DIGITS = ("digits-cnn", "digits-mlp")  # the packaged tasks that learn from such examples
LONG = 100_000  # steps that outlast any test

Digits = tuple[NDArray[np.float32], NDArray[np.int32]]


def packaged(task: str = "digits-mlp") -> tuple[Bundle, Program]:
    """Gives a task that comes with Folkmoot."""
    return bundle.load(tasks.read(task))


def digits(count: int, seed: int = 0) -> Digits:
    """Gives images that can be learnt: each class has one pattern, every image some noise. [n, 8, 8, 1] and [n]."""
    patterns = np.random.default_rng(99).random((10, 8, 8, 1))
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 10, count).astype(np.int32)
    x = (0.7 * patterns[y] + 0.3 * rng.random((count, 8, 8, 1))).astype(np.float32)
    return x, y


def fill(path: Path, examples: Digits, contract: str = CONTRACT, holdout: float = 0.2) -> Path:
    """Gives a store with these examples in it."""
    store = Examples(path, contract, holdout=holdout)
    store.add(((x.tobytes(), y.tobytes()) for x, y in zip(*examples, strict=True)), 0)
    store.close()
    return path


def job(folder: Path, task: str = "digits-mlp", count: int = 60, **changes: Any) -> Job:
    """Gives a job whose files stand in `folder`, with `count` examples in the store."""
    found, program = packaged(task)
    (folder / "program").write_bytes(found.program)
    (folder / "weights").write_bytes(found.weights)
    if not (folder / "examples.db").exists():
        fill(folder / "examples.db", digits(count))
    made = Job(
        device="d1",
        program=str(folder / "program"),
        weights=str(folder / "weights"),
        examples=str(folder / "examples.db"),
        out=str(folder / "out"),
        plan=program.manifest.plan,
    )
    return msgspec.structs.replace(made, **changes)
