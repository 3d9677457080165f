"""TensorFlow's own step, with nothing of the compiler in it but the random numbers, and a program beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src import backend

from folkmoot import arrays
from folkmoot.arrays import Array
from folkmoot.author import converter, optimizers, signatures, tensors
from folkmoot.author.draft import Draft
from folkmoot.serve.program import Learner
from folkmoot.wire.bundle import Manifest, Program
from folkmoot.wire.messages import Plan
from tests.author import draws

Params = dict[str, Array]


@dataclass(frozen=True)
class Compiled:
    """A draft and its program, without what a bundle has beside it."""

    draft: Draft
    program: Program
    weights: bytes

    def learner(self, runtime: str) -> Learner:
        """Gives the program on one of the runtimes, with the draft's weights."""
        made = Learner(self.program, on=runtime)
        made.set_weights(self.weights)
        return made

    def batches(self, count: int) -> Iterator[tuple[Array, Array]]:
        """Gives so many whole batches that look like the contract."""
        contract, rng = self.draft.contract, np.random.default_rng(5)
        for _ in range(count):
            shape = (self.draft.batch, *contract.x_shape)
            x = (
                rng.integers(0, max(contract.vocabulary, 1), shape)
                if contract.x_dtype == "int32"
                else rng.standard_normal(shape)
            )
            labels = (self.draft.batch, *contract.y_shape)
            y = rng.random(labels) if contract.y_dtype == "float32" else rng.integers(0, len(contract.classes), labels)
            if len(labels) > 1 and labels[-1] > 1:
                y = y / y.sum(-1, keepdims=True)  # shares: of others, Keras's cross-entropy has no one gradient
            yield x.astype(contract.x_dtype), y.astype(contract.y_dtype)


def compiled(draft: Draft) -> Compiled:
    """Gives a draft's program."""
    held = tensors.variables(draft.model, draft.local)
    optimizer, _ = optimizers.described(draft.optimizer or keras.optimizers.SGD())
    holder = signatures.Holder(held, optimizer)
    functions = signatures.trace(draft, holder)
    manifest = Manifest(
        task=draft.task,
        version=draft.version,
        layout=tensors.layout(held),
        contract=draft.contract,
        batch=draft.batch,
        plan=draft.plan or Plan(),
        optimizer=optimizer,
        trained=tuple(holder.names),
        parameters=1,
    )
    tflite = converter.program(functions, holder, draft.model)
    return Compiled(draft, Program(manifest=manifest, tflite=tflite), tensors.block(held))


def taken(found: Compiled, steps: int, rate: float) -> tuple[Params, Params]:
    """Gives the weights before and after so many of Keras's own training steps; the model is as it was afterwards."""
    draft, weights = found.draft, found.weights
    held = tensors.variables(draft.model, draft.local)
    given = draft.optimizer or keras.optimizers.SGD()
    optimizer = type(given).from_config({**given.get_config(), "learning_rate": rate})
    trained = draft.model.trainable_variables
    for number, (x, y) in enumerate(found.batches(steps)):
        with our_draws(number), tf.GradientTape() as tape:
            output = draft.model(tf.constant(x), training=True)
            value = tf.reduce_mean(_loss(draft)(tf.constant(y), output)) + sum(draft.model.losses)
        optimizer.apply_gradients(zip(tape.gradient(value, trained), trained, strict=True))
    after = tensors.block(held)
    tensors.restore(held, weights)
    layout = tensors.layout(held)
    return arrays.unpack(layout, weights), arrays.unpack(layout, after)


def _loss(draft: Draft) -> Callable[[Any, Any], Any]:
    """Gives Keras's loss, averaged over the batch as Keras does it."""
    return keras.losses.get(draft.loss) if isinstance(draft.loss, str) else draft.loss


@contextmanager
def our_draws(seed: int) -> Iterator[None]:
    """While it lasts, Keras draws the numbers that a program draws in the step of that seed (tests.author.draws)."""
    counts = {"uniform": 0, "normal": 0}

    def number(kind: str) -> int:
        counts[kind] += 1
        return counts[kind] - 1

    def dropout(inputs: tf.Tensor, rate: float, noise_shape: Any = None, seed_: Any = None, **_: Any) -> tf.Tensor:
        shape = [
            size if size is not None else whole for size, whole in zip(noise_shape or inputs.shape, inputs.shape, strict=True)
        ]
        kept = draws.uniform(tuple(shape), seed, number("uniform")) >= rate
        return inputs * (kept.astype(np.float32) / np.float32(1 - rate))

    def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, **_: Any) -> tf.Tensor:
        return mean + stddev * draws.normal(tuple(shape), seed, number("normal"))

    kept = backend.random.dropout, backend.random.normal
    backend.random.dropout = lambda inputs, rate, noise_shape=None, seed=None: dropout(inputs, rate, noise_shape)
    backend.random.normal = normal
    try:
        yield
    finally:
        backend.random.dropout, backend.random.normal = kept
