"""Sums and means along axes, and repetitions."""

import numpy as np
import tensorflow as tf

from folkmoot.author.operator import gradient_of
from folkmoot.errors import UserFault


@gradient_of("Sum")
def _sum(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, None]:
    return _repeated(op, dy, mean=False), None


@gradient_of("Mean")
def _mean(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, None]:
    return _repeated(op, dy, mean=True), None


def _repeated(op: tf.Operation, dy: tf.Tensor, *, mean: bool) -> tf.Tensor:
    """Gives `dy` in the shape of the input, by a product with a constant: TensorFlow's own TILE takes eight times as long."""
    shape, axes = op.inputs[0].shape, tf.get_static_value(op.inputs[1])
    if axes is None:
        raise UserFault(f"{op.name} ({op.type}) must reduce constant axes to be trained")
    reduced = {int(axis) % len(shape) for axis in np.ravel(axes)} if len(shape) else set()
    if not reduced:
        return dy
    along = [size if axis in reduced else 1 for axis, size in enumerate(shape)]
    share = np.full(along, 1.0 / np.prod(along) if mean else 1.0, np.float32)
    return tf.reshape(dy, [1 if axis in reduced else size for axis, size in enumerate(shape)]) * share


@gradient_of("Tile")
def _tile(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, None]:
    """What was repeated along an axis is summed over the repetitions, axis by axis: XNNPACK takes no more than six."""
    for axis, size in enumerate(op.inputs[0].shape):
        multiple = dy.shape[axis] // size
        if multiple > 1:
            before, after = dy.shape[:axis], dy.shape[axis + 1 :]
            parts = tf.reshape(dy, [int(np.prod(before)), multiple, size, int(np.prod(after))])
            dy = tf.reshape(tf.reduce_sum(parts, 1), [*before, size, *after])
    return dy, None
