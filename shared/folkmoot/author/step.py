"""TensorFlow's own training of a draft: what a compiled program is measured against."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from folkmoot.author import layers, losses, signatures, tensors
from folkmoot.author.draft import Draft
from folkmoot.author.operator import translated
from folkmoot.author.operators import random
from folkmoot.author.tensors import Variable
from folkmoot.errors import UserFault
from folkmoot.serve import reference
from folkmoot.serve.reference import Reference

# TensorFlow has no gradient of a convolution in groups on a processor without oneDNN: they are convolved one by one.
KINDS = (*random.KINDS, "Conv2D")

# Ways to nudge the weights. A spread is made of single rectifiers that are seen on the other side of their corner: one nudge
# often sees none, and 9 of 60 sound programs of three models were refused after it; after four, none of 120 of six models was.
NUDGES = 4

Step = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""(x, y, seed): moves the model, and gives the mean loss before it."""


def reference_losses(draft: Draft, held: tuple[Variable, ...], rate: float) -> Reference:
    """Gives what a manifest records of the reference's ten steps, and leaves the weights as they were."""
    weights = tensors.block(held)
    x, y = (tf.constant(part) for part in reference.batch(draft.contract, draft.batch))
    step, optimizer = own(draft, rate)
    memory = [variable.numpy() for variable in optimizer.variables]

    def losses(block: bytes) -> list[float]:
        tensors.restore(held, block)
        for variable, value in zip(optimizer.variables, memory, strict=True):
            variable.assign(value)
        return [float(step(x, y, tf.constant(number, tf.int32))) for number in range(reference.STEPS)]

    try:
        found = losses(weights)
        beside = [losses(_nudged(weights, seed)) for seed in range(NUDGES)]
    except tf.errors.OpError as error:
        raise UserFault(f"TensorFlow itself cannot train {draft.task} here: {error.message.splitlines()[0]}") from None
    tensors.restore(held, weights)
    return Reference(
        formula=reference.FORMULA,
        learning_rate=rate,
        losses=[round(loss, 6) for loss in found],
        spread=[round(max(abs(one - loss) for one in others), 8) for loss, *others in zip(found, *beside, strict=True)],
    )


def _nudged(weights: bytes, seed: int) -> bytes:
    """Gives weights whose last four bits are others: as far away as sums in another order are from one another."""
    bits = np.frombuffer(weights, "<u4")
    return (bits ^ np.random.default_rng(seed).integers(0, 16, len(bits), np.uint32)).tobytes()


def own(draft: Draft, rate: float) -> tuple[Step, keras.optimizers.Optimizer]:
    """Gives TensorFlow's step: Keras's forward pass and optimiser, TensorFlow's gradients; and the optimiser, for its memory.

    Random numbers alone are the program's, for without them there is nothing to compare.
    """
    loss = losses.loss(draft.loss, draft.contract)
    given = draft.optimizer or keras.optimizers.SGD()
    optimizer = type(given).from_config({**given.get_config(), "learning_rate": rate})
    trained = draft.model.trainable_variables
    optimizer.build(trained)

    def step(x: tf.Tensor, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        with translated(seed=seed, kinds=KINDS):
            each = loss(y, draft.model(x, training=True))
        value = signatures.objective(draft, each, tf.ones([draft.batch]))
        gradients = tf.gradients(value, [variable.value for variable in trained])
        optimizer.apply([tf.convert_to_tensor(one) for one in gradients], trained)
        return tf.reduce_mean(each)

    contract = draft.contract
    specs = (
        tf.TensorSpec((draft.batch, *contract.x_shape), contract.x_dtype),
        tf.TensorSpec((draft.batch, *contract.y_shape), contract.y_dtype),
        tf.TensorSpec([], tf.int32),
    )
    with layers.traceable(draft.model, whole=False):  # random numbers in a loop could not be the program's
        traced: Step = signatures.concrete(step, *specs)
    return traced, optimizer
