"""Every layer, loss and optimiser trains as TensorFlow trains it, on both runtimes, in builtin operators.

The error of a tensor is max |w - w_tf|, over the largest element of TensorFlow's own step.
"""

import keras
import numpy as np
import pytest

from folkmoot import arrays
from folkmoot.author import flatbuffer
from folkmoot.serve.program import RUNTIMES
from tests.author import tensorflow_step
from tests.author.cases import ITEMS, Make
from tests.author.goals import LOSSES, OPTIMIZERS
from tests.author.tensorflow_step import Compiled, Params

ONE_STEP, TEN_STEPS = 1e-5, 1e-4
# A weight is a float32: near 1 it is known to 6e-8, however short the step.
UNIT = 6e-8
SEEDS = range(1, 6)


def drawn(make: Make, seed: int) -> Compiled:
    """Gives the program of a case."""
    keras.utils.set_random_seed(seed)
    return tensorflow_step.compiled(make(np.random.default_rng(seed)))


def errors(ours: Params, before: Params, theirs: Params) -> dict[str, float]:
    """Gives the error of every tensor; what TensorFlow leaves as it is has none only where it is left as it is here."""
    wrong = {}
    for name, expected in theirs.items():
        way, apart = np.abs(expected - before[name]).max(), np.abs(ours[name] - expected).max()
        unit = UNIT * max(1.0, float(np.abs(expected).max()))
        wrong[name] = float(max(apart - unit, 0.0) / way) if way else float(apart)
    return wrong


def holds(found: Compiled) -> None:
    """Holds a program to the promise."""
    operators = flatbuffer.operators(found.program.tflite)
    assert [name for name in operators if name.startswith("Flex") or name == "CUSTOM"] == []
    rate = found.draft.plan.learning_rate if found.draft.plan else 0.01
    for steps, close in ((1, ONE_STEP), (10, TEN_STEPS)):
        before, theirs = tensorflow_step.taken(found, steps, rate)
        for runtime in RUNTIMES:
            learner = found.learner(runtime)
            for seed, (x, y) in enumerate(found.batches(steps)):
                learner.train(x, y, rate=rate, seed=seed)
            ours = arrays.unpack(learner.manifest.layout, learner.get_weights())
            wrong = errors(ours, before, theirs)
            assert {name: error for name, error in wrong.items() if not error <= close} == {}, (runtime, steps)


@pytest.mark.parametrize("name", ITEMS)
def test_a_layer_trains_as_in_tensorflow(name: str) -> None:
    holds(drawn(ITEMS[name], 0))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_descended_as_in_tensorflow(name: str) -> None:
    holds(drawn(LOSSES[name], 0))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimiser_moves_as_in_tensorflow(name: str) -> None:
    holds(drawn(OPTIMIZERS[name], 0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ITEMS)
def test_a_layer_of_any_shape_trains_as_in_tensorflow(name: str, seed: int) -> None:
    holds(drawn(ITEMS[name], seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_any_shape_is_descended_as_in_tensorflow(name: str, seed: int) -> None:
    holds(drawn(LOSSES[name], seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimiser_moves_any_number_of_weights_as_in_tensorflow(name: str, seed: int) -> None:
    holds(drawn(OPTIMIZERS[name], seed))
