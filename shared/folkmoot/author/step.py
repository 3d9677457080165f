"""TensorFlow's own training of a draft: what a compiled program is measured against."""

import keras
import tensorflow as tf

from folkmoot.author import signatures, tensors
from folkmoot.author.draft import Draft
from folkmoot.author.tensors import Variable
from folkmoot.serve import reference


def losses(draft: Draft, held: tuple[Variable, ...]) -> list[float]:
    """Gives the losses of the reference's ten steps with TensorFlow's gradients, and leaves the weights as they were."""
    weights = tensors.block(held)
    x, y = (tf.constant(part) for part in reference.batch(draft.contract, draft.batch))
    found = [float(step(draft, x, y, draft.plan.learning_rate)) for _ in range(reference.STEPS)]
    tensors.restore(held, weights)
    return [round(loss, 6) for loss in found]


def step(draft: Draft, x: tf.Tensor, y: tf.Tensor, rate: float) -> tf.Tensor:
    """Takes one step of SGD as TensorFlow does it; gives the mean loss before it."""
    with tf.GradientTape() as tape:
        each = draft.loss(y, draft.model(x, training=True))
        value = signatures.objective(draft, each, tf.ones([draft.batch]))
    trained = draft.model.trainable_variables
    keras.optimizers.SGD(rate).apply_gradients(zip(tape.gradient(value, [v.value for v in trained]), trained, strict=True))
    return tf.reduce_mean(each)
