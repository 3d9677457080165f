from pathlib import Path
from random import Random

import cbor2
import numpy as np
import pytest
from numpy.typing import NDArray

from folkmoot import arrays, parts
from folkmoot.errors import FolkmootError, PeerFault, StoreFault
from folkmoot.serve import lesson
from folkmoot.serve.batches import JobFault
from folkmoot.serve.conversation import Done, Job
from folkmoot.serve.lesson import Classroom
from folkmoot.serve.program import Learner
from folkmoot.store.examples import Reader
from folkmoot.wire import codec, partial
from folkmoot.wire.messages import Plan
from folkmoot.wire.partial import ENCODED, Partial
from tests.kit import lessons


def go_on() -> None:
    """Lets a job go on."""


def teach(job: Job) -> tuple[Done, Partial]:
    """Does a job; gives what is said of it, and its payload."""
    done = Classroom().teach(job, go_on)
    payload = Path(done.path).read_bytes()
    assert (codec.digest(payload), len(payload)) == (done.digest, done.size)
    return done, partial.load(payload, limit=1 << 20)


def held(path: str, part: str) -> lessons.Digits:
    """Gives the examples on one side of a store, in their order."""
    reader = Reader(Path(path))
    rows = reader.read(reader.ids(part))  # type: ignore[arg-type]
    reader.close()
    x = np.stack([np.frombuffer(x, np.float32).reshape(8, 8, 1) for x, _ in rows])
    return x, np.array([np.frombuffer(y, np.int32)[0] for _, y in rows], np.int32)


def delta(payload: Partial) -> NDArray[np.float32]:
    """Gives the update of digits-mlp, flat."""
    return np.frombuffer(payload.groups["main"].data, "<f4")


def test_the_update_and_the_base_model_make_the_trained_model(tmp_path: Path) -> None:
    job = lessons.job(tmp_path, plan=Plan(epochs=2, learning_rate=0.1, seed=3), seed=4)
    done, payload = teach(job)
    found, program = lessons.packaged()
    x, y = held(job.examples, "train")
    learner = Learner(program)
    learner.set_weights(found.weights)
    order = Random("3 4")
    numbers = list(range(len(x)))
    for _ in range(2):
        order.shuffle(numbers)
        for at in range(0, len(x), 8):
            learner.train(x[numbers[at : at + 8]], y[numbers[at : at + 8]], rate=0.1)
    base, trained = (np.frombuffer(block, "<f4") for block in (found.weights, learner.get_weights()))
    assert np.array_equal(delta(payload), trained - base)
    assert (done.examples, done.steps) == (len(x), 2 * -(-len(x) // 8))


def test_a_partial_names_its_device_its_weight_and_what_it_took(tmp_path: Path) -> None:
    done, payload = teach(lessons.job(tmp_path, count=60))
    (leaf,) = payload.leaves
    assert (leaf.device, leaf.fate) == ("d1", "")
    note = cbor2.loads(leaf.note)
    assert note == {"seconds": done.seconds, "steps": done.steps, "peak_bytes": done.peak_bytes}
    group = payload.groups["main"]
    assert (group.weight, group.tag, group.size) == (done.examples, codec.FLOAT32, 4810)
    assert payload.metrics == done.metrics


def test_the_base_model_is_measured_on_the_hold_out_before_training(tmp_path: Path) -> None:
    job = lessons.job(tmp_path, "digits-cnn", count=200)
    done, _ = teach(job)
    found, program = lessons.packaged("digits-cnn")
    x, y = held(job.examples, "holdout")
    learner = Learner(program)
    learner.set_weights(found.weights)
    parts = [learner.evaluate(x[at : at + 32], y[at : at + 32]) for at in range(0, len(x), 32)]
    losses = np.concatenate([part[0] for part in parts]).astype(np.float64)
    assert done.metrics["eval_count"] == len(x) > 20
    assert done.metrics["eval_correct"] == sum(part[1]["correct"] for part in parts)
    assert done.metrics["eval_loss_u20"] == sum(round(loss * 2**20) for loss in losses)
    assert done.metrics["train_count"] == 5 * done.examples


def test_only_the_tensors_of_the_plan_move(tmp_path: Path) -> None:
    _, payload = teach(lessons.job(tmp_path, plan=Plan(epochs=1, learning_rate=0.1, only=("logits.kernel",))))
    layout = lessons.packaged()[1].manifest.layout
    moved = arrays.unpack(layout, delta(payload).astype("<f4").tobytes())
    assert {name for name, way in moved.items() if way.any()} == {"logits.kernel"}


def test_a_plan_that_moves_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobFault, match="layout: the plan moves head, which the program does not train"):
        teach(lessons.job(tmp_path, plan=Plan(only=("head",))))


def test_an_evaluation_trains_nothing_and_sends_no_update(tmp_path: Path) -> None:
    done, payload = teach(lessons.job(tmp_path, phase="evaluate", evaluate=False))
    assert payload.groups == {}
    assert done.metrics.keys() == {"eval_count", "eval_correct", "eval_loss_u20", "eval_members"}
    assert (done.examples, done.steps) == (0, 0)
    assert payload.leaves[0].device == "d1"


def test_training_alone_measures_no_hold_out(tmp_path: Path) -> None:
    done, _ = teach(lessons.job(tmp_path, evaluate=False))
    assert done.metrics.keys() == {"train_count", "train_loss_u20"}


def test_the_same_job_gives_the_same_update_and_another_seed_another_one(tmp_path: Path) -> None:
    one, again, other = (delta(teach(lessons.job(tmp_path, seed=seed))[1]) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    job = lessons.job(tmp_path, "digits-cnn", count=100)
    first, payload = teach(job)
    base, _ = lessons.packaged("digits-cnn")
    trained = np.frombuffer(base.weights, "<f4") + delta(payload)
    second, _ = teach(lessons.job(tmp_path, "digits-cnn", weights="", block=trained.astype("<f4").tobytes()))
    assert second.metrics["eval_loss_u20"] < first.metrics["eval_loss_u20"] / 2
    assert second.metrics["eval_correct"] > first.metrics["eval_correct"]


@pytest.mark.parametrize(
    ("plan", "examples", "steps"),
    [
        (Plan(steps=3), 24, 3),  # less than an epoch of 40: what was not reached was not used
        (Plan(steps=12), 40, 12),  # two epochs and two steps of a third
        (Plan(epochs=3, max_examples=10), 10, 6),
        (Plan(epochs=1, steps=7), 40, 7),
    ],
)
def test_a_plan_says_how_much_is_trained_on(tmp_path: Path, plan: Plan, examples: int, steps: int) -> None:
    lessons.fill(tmp_path / "examples.db", lessons.digits(40), holdout=0.0)
    done, payload = teach(lessons.job(tmp_path, plan=plan))
    assert (done.examples, done.steps) == (examples, steps)
    assert payload.groups["main"].weight == examples


def test_a_weight_never_passes_the_cap(tmp_path: Path) -> None:
    done, payload = teach(lessons.job(tmp_path, cap=7))
    assert payload.groups["main"].weight == 7 < done.examples


def test_the_proximal_term_keeps_the_update_smaller(tmp_path: Path) -> None:
    free, held_back = (
        delta(teach(lessons.job(tmp_path, plan=Plan(epochs=5, learning_rate=0.1, proximal=mu)))[1]) for mu in (0.0, 1.0)
    )
    assert np.linalg.norm(held_back) < 0.8 * np.linalg.norm(free)


def test_a_program_is_loaded_once_for_jobs_that_follow_one_another(tmp_path: Path) -> None:
    classroom = Classroom()
    loaded = []
    for task in ("digits-mlp", "digits-mlp", "digits-cnn"):
        classroom.teach(lessons.job(tmp_path, task), go_on)
        loaded.append(classroom._learner)
    assert loaded[0] is loaded[1] is not loaded[2]


def test_a_store_without_examples_is_said_to_be_empty(tmp_path: Path) -> None:
    lessons.fill(tmp_path / "examples.db", lessons.digits(0))
    with pytest.raises(JobFault, match="no_examples"):
        teach(lessons.job(tmp_path))


def test_a_store_of_another_contract_is_refused(tmp_path: Path) -> None:
    lessons.fill(tmp_path / "examples.db", lessons.digits(9), contract="motion-64")
    with pytest.raises(JobFault, match="contract: the examples here are motion-64; the task takes digits-8x8"):
        teach(lessons.job(tmp_path))


def test_examples_of_another_size_are_refused(tmp_path: Path) -> None:
    x, y = lessons.digits(30)
    lessons.fill(tmp_path / "examples.db", (x[:, :7], y))
    with pytest.raises(JobFault, match="an example has 224 bytes where the contract digits-8x8 has 256"):
        teach(lessons.job(tmp_path))


def test_an_update_that_nobody_would_take_stays_at_home(tmp_path: Path) -> None:
    with pytest.raises(JobFault, match="diverged"):  # 1 - 100 * 1000 away from the anchor, more so with every step
        teach(lessons.job(tmp_path, plan=Plan(epochs=5, learning_rate=100.0, proximal=1000.0)))
    weights = np.full(4810, np.nan, np.float32).tobytes()
    with pytest.raises(JobFault, match="diverged: an update of up to nan where 64 is taken"):
        teach(lessons.job(tmp_path, weights="", block=weights))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("program", b"\x00", PeerFault),
        ("weights", b"short", PeerFault),
        ("examples.db", b"no database, but long enough to be taken for one" * 4, StoreFault),
    ],
)
def test_a_file_that_is_damaged_is_refused(tmp_path: Path, file: str, content: bytes, fault: type[FolkmootError]) -> None:
    job = lessons.job(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(fault):
        teach(job)


def test_a_job_can_be_stopped_before_any_batch(tmp_path: Path) -> None:
    looks = iter([None, None, None])
    with pytest.raises(StopIteration):
        Classroom().teach(lessons.job(tmp_path), lambda: next(looks))
    assert not (tmp_path / "out").exists()


def test_sums_of_losses_do_not_depend_on_their_grouping() -> None:
    losses = np.random.default_rng(0).exponential(3, 1000).astype(np.float32)
    assert lesson.total(losses) == sum(lesson.total(part) for part in np.array_split(losses, 7))


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf, 1e30])
def test_a_loss_without_measure_counts_as_the_largest(loss: float) -> None:
    assert abs(lesson.total(np.float32([loss]))) == 65_536 << 20


def encoded(folder: Path, **changes: object) -> Partial:
    """Gives what a job leaves whose update travels as int8."""
    return teach(lessons.job(folder, transform="int8", **changes))[1]


def test_an_update_travels_as_its_job_says_and_is_what_was_learnt_but_for_less_than_a_step(tmp_path: Path) -> None:
    plain, sent = teach(lessons.job(tmp_path))[1], encoded(tmp_path)
    layout = lessons.packaged()[1].manifest.layout
    sizes = {name: [tensor.size for tensor in tensors] for name, tensors in layout.groups.items()}
    assert (sent.groups["main"].tag, len(sent.groups["main"].data)) == (ENCODED, 4810 + 4 * len(sizes["main"]))
    came = parts.decoded(sent, lesson.transform_of("int8"), sizes)
    for tensor, learnt in arrays.unpack(layout, delta(plain).tobytes()).items():
        off = np.abs(arrays.unpack(layout, delta(came).tobytes())[tensor] - learnt)
        assert off.max() <= np.abs(learnt).max() / 127, tensor
    assert (came.metrics, came.groups["main"].weight) == (plain.metrics, plain.groups["main"].weight)


def test_the_same_job_is_rounded_to_the_same_bytes_and_that_of_another_round_is_not(tmp_path: Path) -> None:
    one, again, other = (encoded(tmp_path, seed=seed).groups["main"].data for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize("name", [None, "int4", "Int8", "../int8"])
def test_a_transform_that_this_version_does_not_have_leaves_the_update_as_it_is(tmp_path: Path, name: str) -> None:
    _, payload = teach(lessons.job(tmp_path, transform=name))
    assert payload.groups["main"].tag == codec.FLOAT32


def test_an_update_that_nobody_would_take_is_not_encoded_either(tmp_path: Path) -> None:
    weights = np.full(4810, np.nan, np.float32).tobytes()
    with pytest.raises(JobFault, match="diverged: an update of up to nan where 64 is taken"):
        encoded(tmp_path, weights="", block=weights)
    assert not (tmp_path / "out").exists()
