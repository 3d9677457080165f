"""One job of a training process: evaluates the base model on the hold-out, trains it on the rest, writes the update."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from time import perf_counter

import cbor2
import numpy as np

from folkmoot import parts, plugins
from folkmoot.serve import memory
from folkmoot.serve.batches import Batches, JobFault, Stored
from folkmoot.serve.conversation import Done, Job, Work
from folkmoot.serve.program import Floats, Learner
from folkmoot.transform import Transform
from folkmoot.wire import bundle, codec, partial
from folkmoot.wire.messages import Plan
from folkmoot.wire.partial import Group, Leaf, Partial

UNIT = 1 << 20  # losses are summed as integers, in units of 2^-20, so that every grouping gives the same sum
LARGEST = 65_536.0  # a larger loss counts as this, and so does one that is no number
MOST = 1 << 42  # of a sum: as much as the screen takes of one device (folkmoot.screens.metrics)

Check = Callable[[], None]
"""Called before every batch; raises to end the job."""


class Classroom:
    """What stays between jobs: the program that was used last, loaded."""

    def __init__(self, threads: int = 1) -> None:
        """`threads`: that the runtime may use."""
        self._threads = threads
        self._digest = b""
        self._learner: Learner | None = None

    def teach(self, job: Job, check: Check) -> Done:
        """Does a job.

        Raises JobFault, PeerFault, StoreFault or UserFault where it cannot be done, and whatever `check` raises.
        """
        began = perf_counter()
        of_program, of_weights = job.sha256 or (b"", b"")
        learner = self._load(Path(job.program), of_program)
        weights = job.block or Path(job.weights).read_bytes()
        if of_weights and codec.digest(weights) != of_weights:
            raise JobFault("store", f"{job.weights} is damaged")
        learner.set_weights(weights)
        batches = Stored(Path(job.examples), learner.manifest.contract, learner.manifest.batch)
        try:
            lesson = learn(learner, batches, job, check)
        finally:
            batches.close()
        seconds, peak = perf_counter() - began, memory.peak()
        payload = lesson.payload(job.device, seconds, peak)
        digest = codec.digest(payload)
        return Done(
            path=_write(Path(job.out), digest.hex(), payload),
            digest=digest,
            size=len(payload),
            metrics=lesson.metrics,
            examples=lesson.examples,
            steps=lesson.steps,
            seconds=seconds,
            peak_bytes=peak,
        )

    def _load(self, path: Path, wanted: bytes) -> Learner:
        """Gives the program that a file holds; loads it only where it is not the last one. `wanted`: its sha256, if known."""
        data = path.read_bytes()
        digest = codec.digest(data)
        if wanted and digest != wanted:
            raise JobFault("store", f"{path} is damaged")
        if self._learner is None or digest != self._digest:
            self._learner = None  # its memory first, then the other's
            self._learner = Learner(bundle.program(data), threads=self._threads)
            self._digest = digest
        return self._learner


@dataclass(frozen=True, slots=True)
class Lesson:
    """What came of a job."""

    groups: dict[str, Group]
    metrics: dict[str, int]
    steps: int
    examples: int  # distinct ones that were trained on

    def payload(self, device: str, seconds: float, peak_bytes: int) -> bytes:
        """Gives the answer's bytes, with what the job took."""
        note = cbor2.dumps({"seconds": seconds, "steps": self.steps, "peak_bytes": peak_bytes}, canonical=True)
        return partial.dump(Partial(groups=self.groups, leaves=(Leaf(device, note=note),), metrics=self.metrics))


def learn(learner: Learner, batches: Batches, job: Work, check: Check) -> Lesson:
    """Does a job with a learner that the base model's weights were set of.

    Raises JobFault where it cannot be done, and whatever `check` raises.
    """
    metrics: dict[str, int] = {}
    groups: dict[str, Group] = {}
    steps = examples = 0
    if job.evaluate or job.phase == "evaluate":
        metrics |= evaluate(learner, batches, check)
    if job.phase == "train":
        order, draws = (Random(f"{job.plan.seed} {job.seed}{of}") for of in ("", " draws"))  # noqa: S311 - no secrets
        steps, examples, measured = train(learner, batches, job.plan, order, draws, check)
        metrics |= measured
        groups = update(learner, min(examples, job.cap), job)
    return Lesson(groups, metrics, steps, examples)


def evaluate(learner: Learner, batches: Batches, check: Check) -> dict[str, int]:
    """Gives the exact sums over the hold-out: `eval_count`, `eval_correct`, `eval_loss_u20`, and `eval_members` with it.

    What else the task measures is in them as `eval_NAME_u20`.
    """
    number = correct = loss = 0
    others = dict.fromkeys([name for name in learner.manifest.metrics if name not in ("loss", "correct")], 0)
    for x, y in batches.held_out():
        check()
        losses, sums = learner.evaluate(x, y)
        number += len(x)
        correct += round(sums.get("correct", 0.0))
        loss += total(losses)
        for name in others:
            others[name] += total(np.asarray([sums[name]], np.float32))
    members = int(number > 0)  # sums up to the devices that a quality is known from
    found = {"eval_count": number, "eval_correct": correct, "eval_loss_u20": min(loss, MOST), "eval_members": members}
    return found | {f"eval_{name}_u20": min(value, MOST) for name, value in others.items()}


def train(
    learner: Learner, batches: Batches, plan: Plan, order: Random, draws: Random, check: Check
) -> tuple[int, int, dict[str, int]]:
    """Trains as the plan says; gives the steps, the distinct examples, and `train_count` and `train_loss_u20`, with repeats.

    `order`: of the examples; `draws`: gives each step the seed of its random numbers. Raises JobFault: "no_examples" where
    there are none, "layout" where the plan moves a tensor that the program does not train.
    """
    if unknown := set(plan.only) - set(learner.manifest.trained):
        raise JobFault("layout", f"the plan moves {', '.join(sorted(unknown))}, which the program does not train")
    steps = examples = number = loss = 0
    for epoch, x, y in batches.training(plan, order):
        check()
        seed = draws.getrandbits(31)
        losses = learner.train(x, y, rate=plan.learning_rate, proximal=plan.proximal, only=plan.only or None, seed=seed)
        loss += total(losses)
        steps += 1
        number += len(x)
        if epoch == 0:
            examples = number
    return steps, examples, {"train_count": number, "train_loss_u20": min(loss, MOST)}


def update(learner: Learner, weight: int, job: Work) -> dict[str, Group]:
    """Gives what was learnt since the weights were set by group, as it travels, a tensor at a time.

    Whatever chance a transform needs follows from the plan's seed and the job's, which is the device's and the round's: a job
    that is done again gives the same bytes. Raises JobFault("diverged") where an element is no number, or beyond the bound:
    nobody would take it.
    """
    layout, transform = learner.manifest.layout, transform_of(job.transform)
    before, after = learner.base, learner.tensors()
    draws = Random(f"{job.plan.seed} {job.seed} transform") if transform else None  # noqa: S311 - no secrets
    groups = {}
    for name, tensors in layout.groups.items():
        deltas = (np.subtract(after[one.name], before[one.name]).ravel().astype(np.float32, copy=False) for one in tensors)
        seed = draws.getrandbits(64) if draws else 0
        groups[name] = parts.travelling(_within(job.bound, deltas), weight, transform, seed)
    return groups


def _within(bound: float, deltas: Iterator[Floats]) -> Iterator[Floats]:
    for delta in deltas:
        # Not a question of being finite: TFLite's arithmetic stops at the largest float32 instead of going on to infinity.
        if not (most := float(np.abs(delta).max())) <= bound:
            raise JobFault("diverged", f"an update of up to {most:.3g} where {bound:g} is taken: try a smaller learning rate")
        yield delta


@lru_cache
def transform_of(name: str | None) -> Transform | None:
    """Gives the transform that an Ask names; None where it names none, or one that is not here: float32 is always taken."""
    return plugins.load("transforms", name) if name in plugins.names("transforms") else None


def total(losses: Floats) -> int:
    """Gives the sum of losses in units of 2^-20, each rounded by itself."""
    units = losses.astype(np.float64)
    np.fmin(units, LARGEST, out=units)  # what is no number, too
    np.maximum(units, -LARGEST, out=units)
    units *= UNIT
    return int(np.rint(units, out=units).sum())


def _write(folder: Path, name: str, content: bytes) -> str:
    """Puts a file in place, whole or not at all; gives its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path, fresh = folder / name, folder / f"{name}.new"
    fresh.write_bytes(content)
    fresh.replace(path)
    return str(path)
