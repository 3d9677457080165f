import subprocess
import sys

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from folkmoot import arrays, tasks
from folkmoot.errors import MisuseFault, PeerFault
from folkmoot.serve import reference
from folkmoot.serve.program import Learner
from folkmoot.wire.bundle import Program
from tests.kit import lessons

RATE = 0.25


def loaded(task: str) -> tuple[Learner, bytes]:
    """Gives a learner with its task's own weights."""
    found, program = lessons.packaged(task)
    learner = Learner(program)
    learner.set_weights(found.weights)
    return learner, found.weights


def values(learner: Learner, block: bytes | None = None) -> dict[str, NDArray[np.float64]]:
    """Gives the weights by name, in float64."""
    found = arrays.unpack(learner.manifest.layout, learner.get_weights() if block is None else block)
    return {name: array.astype(np.float64) for name, array in found.items()}


def perceptron_step(
    weights: dict[str, NDArray[np.float64]], x: NDArray[np.float32], y: NDArray[np.int32]
) -> dict[str, NDArray[np.float64]]:
    """Gives the weights of digits-mlp after one step of SGD on the mean cross-entropy, written out in float64."""
    flat = x.reshape(len(x), 64).astype(np.float64) * 2.0 - 0.6
    before = flat @ weights["hidden.kernel"] + weights["hidden.bias"]
    hidden = np.maximum(before, 0)
    logits = hidden @ weights["logits.kernel"] + weights["logits.bias"]
    odds = np.exp(logits - logits.max(1, keepdims=True))
    error = (odds / odds.sum(1, keepdims=True) - np.eye(10)[y]) / len(x)
    below = (error @ weights["logits.kernel"].T) * (before > 0)
    slopes = {
        "logits.kernel": hidden.T @ error,
        "logits.bias": error.sum(0),
        "hidden.kernel": flat.T @ below,
        "hidden.bias": below.sum(0),
    }
    return {name: weights[name] - RATE * slopes[name] for name in weights}


@pytest.mark.parametrize("task", tasks.names())
def test_a_packaged_program_has_the_losses_that_tensorflow_had(task: str) -> None:
    found, program = lessons.packaged(task)
    recorded = program.manifest.reference
    losses = reference.losses(Learner(program), found.weights, recorded["learning_rate"])
    assert reference.worst(losses, program.manifest) <= reference.TOLERANCE
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("task", tasks.names())
def test_weights_that_are_set_come_back_bit_for_bit(task: str) -> None:
    learner, weights = loaded(task)
    block = np.random.default_rng(1).integers(0, 256, len(weights), np.uint8).tobytes()  # every pattern, NaN and denormal
    learner.set_weights(block)
    assert learner.get_weights() == block


def test_a_step_is_the_one_that_is_written_in_the_textbook() -> None:
    learner, weights = loaded("digits-mlp")
    x, y = lessons.digits(8)
    learner.train(x, y, rate=RATE)
    before, after = values(learner, weights), values(learner)
    for name, expected in perceptron_step(before, x, y).items():
        assert np.abs(after[name] - expected).max() <= 1e-5 * np.abs(expected - before[name]).max() + 1e-7


@pytest.mark.parametrize("task", lessons.DIGITS)
def test_padding_does_not_change_the_step_whatever_is_in_it(task: str) -> None:
    learner, weights = loaded(task)
    batch = learner.manifest.batch
    x, y = lessons.digits(batch)
    losses = learner.train(x[:5], y[:5], rate=RATE)
    filled = learner.get_weights()

    learner.set_weights(weights)
    x[5:], y[5:] = 7.0, 3
    weight = np.repeat(np.float32([1, 0]), [5, batch - 5])
    padded = learner.train(x, y, rate=RATE, sample_weight=weight)
    assert learner.get_weights() == filled
    assert (padded[:5] == losses).all()
    assert (padded[5:] == 0).all()


def test_five_examples_of_a_batch_of_eight_count_as_five() -> None:
    learner, weights = loaded("digits-mlp")
    x, y = lessons.digits(5)
    learner.train(x, y, rate=RATE)
    expected = perceptron_step(values(learner, weights), x, y)
    assert all(np.allclose(values(learner)[name], expected[name], atol=1e-6) for name in expected)


def test_a_weight_of_two_is_an_example_that_is_there_twice() -> None:
    learner, weights = loaded("digits-mlp")
    x, y = lessons.digits(3)
    learner.train(x, y, rate=RATE, sample_weight=np.float32([2, 1, 1]))
    expected = perceptron_step(values(learner, weights), x[[0, 0, 1, 2]], y[[0, 0, 1, 2]])
    assert all(np.allclose(values(learner)[name], expected[name], atol=1e-6) for name in expected)


def test_a_batch_that_weighs_nothing_moves_nothing() -> None:
    learner, weights = loaded("digits-cnn")
    x, y = lessons.digits(4)
    losses = learner.train(x, y, rate=RATE, sample_weight=np.zeros(4, np.float32))
    assert learner.get_weights() == weights
    assert (losses == 0).all()


@pytest.mark.parametrize("task", lessons.DIGITS)
def test_the_proximal_term_pulls_towards_the_weights_that_were_set(task: str) -> None:
    learner, weights = loaded(task)
    x, y = lessons.digits(8)
    for _ in range(3):
        learner.train(x, y, rate=RATE)
    away, anchor, mu = values(learner), values(learner, weights), 0.5
    free = Learner(lessons.packaged(task)[1])
    free.set_weights(learner.get_weights())  # its anchor is here: no pull
    free.train(x, y, rate=RATE, proximal=mu)
    learner.train(x, y, rate=RATE, proximal=mu)
    for name, found in values(learner).items():
        expected = values(free)[name] - RATE * mu * (away[name] - anchor[name])
        assert np.abs(found - expected).max() <= 1e-6


@pytest.mark.parametrize("task", lessons.DIGITS)
def test_training_and_evaluation_see_the_same_losses(task: str) -> None:
    learner, _ = loaded(task)
    x, y = lessons.digits(6)
    losses, sums = learner.evaluate(x, y)
    logits = learner.infer(x)
    assert sums == {"correct": (logits.argmax(1) == y).sum()}
    assert np.allclose(losses, np.log(np.exp(logits).sum(1)) - logits[np.arange(6), y], atol=1e-5)
    assert np.allclose(learner.train(x, y, rate=RATE), losses, atol=1e-6)


def test_what_weighs_nothing_is_neither_lost_nor_right() -> None:
    learner, _ = loaded("digits-mlp")
    x, _ = lessons.digits(3)
    losses, sums = learner.evaluate(x, learner.infer(x).argmax(1).astype(np.int32), sample_weight=np.float32([1, 0, 1]))
    assert sums == {"correct": 2}
    assert losses[1] == 0 < losses[0]


def test_a_program_that_does_not_measure_what_it_promises_is_refused() -> None:
    found, program = lessons.packaged()
    promised = msgspec.structs.replace(program.manifest, metrics=("loss", "correct", "mae"))
    learner = Learner(msgspec.structs.replace(program, manifest=promised))
    learner.set_weights(found.weights)
    with pytest.raises(PeerFault, match="it does not measure mae"):
        learner.evaluate(*lessons.digits(2))


@pytest.mark.parametrize("count", [0, 9])
def test_a_batch_of_another_size_is_our_own_fault(count: int) -> None:
    learner, _ = loaded("digits-mlp")
    with pytest.raises(MisuseFault, match=f"a batch of {count} examples; the program takes 1 to 8"):
        learner.infer(np.zeros((count, 8, 8, 1), np.float32))


def test_nothing_can_be_asked_of_a_program_before_it_has_weights() -> None:
    with pytest.raises(MisuseFault, match="infer before set_weights"):
        Learner(lessons.packaged()[1]).infer(lessons.digits(1)[0])


def test_weights_of_another_layout_are_refused() -> None:
    learner, weights = loaded("digits-mlp")
    with pytest.raises(PeerFault, match="layout"):
        learner.set_weights(weights[:-4])


@pytest.mark.parametrize("tflite", [b"", b"no program at all, whatever its length may be"])
def test_bytes_that_are_no_program_are_refused(tflite: bytes) -> None:
    program: Program = msgspec.structs.replace(lessons.packaged()[1], tflite=tflite)
    with pytest.raises(PeerFault, match="malformed: program of digits-mlp"):
        Learner(program)


def test_without_a_runtime_the_sentence_names_the_extra() -> None:
    script = """
import sys
sys.modules.update({"tflite_runtime": None, "ai_edge_litert": None})
from folkmoot.errors import UserFault
from folkmoot.serve.program import Learner
from tests.kit import lessons
try:
    Learner(lessons.packaged()[1])
except UserFault as fault:
    print(fault)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "no TFLite runtime is installed: pip install 'folkmoot[device]'"
