"""TensorFlow's own training of a draft: what a compiled program is measured against."""

from collections.abc import Callable

import keras
import tensorflow as tf

from folkmoot.author import layers, losses, signatures, tensors
from folkmoot.author.draft import Draft
from folkmoot.author.operator import translated
from folkmoot.author.operators import random
from folkmoot.author.tensors import Variable
from folkmoot.serve import reference

Step = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""(x, y, seed): moves the model, and gives the mean loss before it."""


def reference_losses(draft: Draft, held: tuple[Variable, ...], rate: float) -> list[float]:
    """Gives the losses of the reference's ten steps with TensorFlow's gradients, and leaves the weights as they were."""
    weights = tensors.block(held)
    x, y = (tf.constant(part) for part in reference.batch(draft.contract, draft.batch))
    step = own(draft, rate)
    found = [float(step(x, y, tf.constant(number, tf.int32))) for number in range(reference.STEPS)]
    tensors.restore(held, weights)
    return [round(loss, 6) for loss in found]


def own(draft: Draft, rate: float) -> Step:
    """Gives TensorFlow's step: Keras's forward pass and optimiser, TensorFlow's gradients.

    Random numbers alone are the program's, for without them there is nothing to compare.
    """
    loss = losses.loss(draft.loss, draft.contract)
    given = draft.optimizer or keras.optimizers.SGD()
    optimizer = type(given).from_config({**given.get_config(), "learning_rate": rate})
    trained = draft.model.trainable_variables
    optimizer.build(trained)

    def step(x: tf.Tensor, y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        with translated(seed=seed, kinds=random.KINDS):
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
    return traced
