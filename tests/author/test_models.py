"""Every model that comes with Folkmoot compiles, in builtin operators, and trains as TensorFlow trains it, on both runtimes.

Three things would make rounding as large as a step, in TensorFlow no less than here, and are kept away; each layer and each
optimiser has its own test without them (test_conformance).

Adam divides a gradient by its own size, so that what is 0 but for rounding, as the gradient of a bias before a batch
normalisation or of an attention's key, becomes a whole step: its epsilon is above the rounding here.

A rectifier's gradient jumps at its corner, and of the million in a batch of a convolutional network some stand within rounding
of it. One that two programs saw on different sides was worth a hundredth of the next step, and all of the tenth: that far is
TensorFlow in float32 from itself in float64. So the one step is taken where none stands near, and the ten are of the same model
with swishes.

Keras's Adam squares the parts of a sparse gradient one by one, not their sum, where a batch has a word twice (Keras 3.15 on
TensorFlow). Here it is given the sum.
"""

import dataclasses
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from folkmoot import arrays
from folkmoot.author import command, flatbuffer, models, tensors
from folkmoot.author.draft import Draft
from folkmoot.serve.program import RUNTIMES
from folkmoot.wire import bundle
from tests.author import tensorflow_step
from tests.author.tensorflow_step import Compiled, Params, our_draws

layers = keras.layers

ONE_STEP, TEN_STEPS = 1e-5, 1e-4  # of the largest element of TensorFlow's step
# Two programs may round a weight to neighbours, which near 1 are 1.2e-7 apart.
APART = 1.2e-7
# Of the longest way of a tensor of the model: what TensorFlow moves less is moved by rounding alone.
STILL = 1e-5
CORNER = 1e-5  # the least distance from a rectifier's corner: ten times what rounding made of their inputs
EPSILON = 1e-2
RATES = {1: 1.0, 10: 0.02}  # steps to learning rate: long steps are known to more digits, short ones do not run wild
GRAPH = 1_000_000  # bytes, without weights; the largest was 0.9 MB, of 20 layers with batch normalisations
# Batches so small that weights are soon found with which no rectifier stands near its corner, and so many are tried.
BATCHES = {"keywords": 2, "mobilenet": 2}
MOST = 30


def found() -> dict[str, Callable[[], Draft]]:
    """Gives every function of folkmoot.author.models that gives a draft, by what `folkmoot author` calls it."""
    made = {}
    for module in pkgutil.iter_modules(models.__path__, f"{models.__name__}."):
        for name, function in inspect.getmembers(import_module(module.name), inspect.isfunction):
            if function.__module__ == module.name and inspect.signature(function).return_annotation is Draft:
                made[f"{module.name}:{name}"] = function
    return made


SOURCES = found()
# Those that take longest to compile are compiled with the slow tests alone.
LARGE = ("images:mobilenet", "sensors:motion", "sounds:keywords", "traffic:packets")
EACH = [pytest.param(one, marks=pytest.mark.slow) if one.endswith(LARGE) else one for one in SOURCES]


def summed(kind: type) -> type:
    """Gives an optimiser that is given whole gradients, under the name of the one that it is."""

    def apply(self: Any, gradients: Iterable[Any], *rest: Any) -> Any:
        return kind.apply(self, [tf.convert_to_tensor(one) for one in gradients], *rest)

    return type(kind.__name__, (kind,), {"apply": apply})


def tamed(optimizer: keras.optimizers.Optimizer | None) -> keras.optimizers.Optimizer | None:
    """Gives an optimiser that does not make steps of rounding."""
    if optimizer is None:
        return None
    settings = optimizer.get_config()
    return summed(type(optimizer)).from_config(settings | ({"epsilon": EPSILON} if "epsilon" in settings else {}))


def rounded(layer: keras.Layer) -> keras.Layer:
    """Gives a layer without corners, a swish for a rectifier, means for maxima of windows; else the layer itself."""
    settings = layer.get_config()
    if isinstance(layer, layers.ReLU):
        return layers.Activation("silu", name=layer.name)
    if isinstance(layer, layers.MaxPooling2D):
        return layers.AveragePooling2D.from_config(settings)
    return type(layer).from_config(settings | {"activation": "silu"}) if settings.get("activation") == "relu" else layer


@cache
def compiled(source: str, *, smooth: bool = False) -> Compiled:
    """Gives the program of a model, or of its likeness without corners."""
    draft = drafted(source)
    if smooth:
        draft = dataclasses.replace(draft, model=keras.models.clone_model(draft.model, clone_function=rounded))
    return tensorflow_step.compiled(draft)


def drafted(source: str) -> Draft:
    """Gives a draft with the first weights that leave its rectifiers away from their corners."""
    for seed in range(MOST):
        keras.utils.set_random_seed(seed)
        draft = SOURCES[source]()
        batch = BATCHES.get(draft.task, draft.batch)
        draft = dataclasses.replace(draft, batch=batch, optimizer=tamed(draft.optimizer))
        if distance(draft) > CORNER:
            return draft
    raise AssertionError(f"of {MOST} seeds, none leaves the rectifiers of {source} alone: take a smaller batch")


def distance(draft: Draft) -> float:
    """Gives how far the rectifiers of a first step are from their corners, at the least."""
    held = tensors.variables(draft.model)
    weights = tensors.block(held)
    corners = {layer: (0.0, layer.max_value or 0.0) for layer in draft.model.layers if isinstance(layer, layers.ReLU)}
    if not corners:
        return np.inf
    x, _ = next(Compiled(draft, None, weights).batches(1))  # no program is needed for them
    with our_draws(0):
        seen = keras.Model(draft.model.inputs, [layer.input for layer in corners])(tf.constant(x), training=True)
    tensors.restore(held, weights)  # normalisations keep statistics of what they see
    return min(
        float(np.abs(value - corner).min()) for value, each in zip(seen, corners.values(), strict=True) for corner in each
    )


def cornered(model: keras.Model) -> bool:
    """Says whether a model has corners that its likeness has not."""
    return any(rounded(layer) is not layer for layer in model.layers)


def errors(ours: Params, before: Params, theirs: Params) -> dict[str, float]:
    """Gives the error of every tensor that TensorFlow moves; of the others 0, or infinity where they move here."""
    ways = {name: float(np.abs(value - before[name]).max()) for name, value in theirs.items()}
    still = STILL * max(ways.values())
    wrong = {}
    for name, way in ways.items():
        apart = np.abs(ours[name] - theirs[name]).max() - APART * max(1.0, np.abs(theirs[name]).max())
        stayed = np.abs(ours[name] - before[name]).max() <= still
        wrong[name] = float(apart / way) if way > still else (0.0 if stayed else np.inf)
    return wrong


def holds(made: Compiled, steps: int, close: float) -> None:
    """Holds a program to the promise."""
    before, theirs = tensorflow_step.taken(made, steps, RATES[steps])
    for runtime in RUNTIMES:
        learner = made.learner(runtime)
        for seed, (x, y) in enumerate(made.batches(steps)):
            learner.train(x, y, rate=RATES[steps], seed=seed)
        ours = arrays.unpack(learner.manifest.layout, learner.get_weights())
        wrong = errors(ours, before, theirs)
        assert {name: error for name, error in wrong.items() if not error <= close} == {}, (runtime, steps)


@pytest.mark.parametrize("source", EACH)
def test_a_model_trains_as_in_tensorflow(source: str) -> None:
    made = compiled(source)
    operators = flatbuffer.operators(made.program.tflite)
    assert [name for name in operators if name.startswith("Flex") or name == "CUSTOM"] == []
    holds(made, 1, ONE_STEP)
    if not cornered(made.draft.model):
        holds(made, 10, TEN_STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_a_model_without_corners_trains_for_ten_steps_as_in_tensorflow(source: str) -> None:
    holds(compiled(source, smooth=True), 10, TEN_STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_a_bundle_is_not_much_larger_than_its_model(source: str, tmp_path: Path) -> None:
    path = tmp_path / "bundle.fmb"
    assert command.author(source, path) == 0
    found, program = bundle.load(path.read_bytes())
    assert len(program.tflite) < GRAPH
    assert set(found.inference) == {"float"}
    assert len(found.inference["float"]) < len(found.weights) + GRAPH
