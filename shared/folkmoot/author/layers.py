"""Keras layers while a program is traced: the same mathematics, said so that a device can train it, and fast."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from folkmoot.errors import UserFault

Gradients = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def within(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Gives a layer and every layer in it, however deep."""
    yield layer
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        yield from within(inner)


@contextmanager
def traceable(model: keras.Model, *, whole: bool = True) -> Iterator[None]:
    """While it lasts, recurrent layers are unrolled and, with `whole`, batch normalisations have one gradient for all of them.

    Functions within functions are traced as a part of those around them: Keras calls one for convolutions in groups.

    Raises UserFault for a layer that keeps its state from batch to batch.
    """
    changed: list[tuple[object, str, object]] = []
    flat = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        for layer in {id(layer): layer for layer in within(model)}.values():
            for place, name, value in _changes(layer, whole):
                changed.append((place, name, vars(place).get(name, _ABSENT)))
                vars(place)[name] = value  # past Keras's own tracking: it is put back
        yield
    finally:
        tf.config.run_functions_eagerly(flat)
        for place, name, value in reversed(changed):
            if value is _ABSENT:
                del vars(place)[name]
            else:
                vars(place)[name] = value


_ABSENT = object()


def _changes(layer: keras.Layer, whole: bool) -> Iterator[tuple[object, str, object]]:
    for generator in layer._seed_generators:
        # What is drawn follows from the step's seed (folkmoot.author.operators.random): there is no state to keep.
        yield generator, "next", lambda ordered=True: tf.zeros([2], tf.uint32)
    if isinstance(layer, keras.layers.RNN):
        if layer.stateful:
            raise UserFault(
                f"{layer.name} keeps its state from batch to batch, and examples here come in any order: stateful=False"
            )
        yield layer, "unroll", True  # a loop's gradient needs lists of tensors, for which there is no builtin
    elif whole and type(layer) is keras.layers.BatchNormalization:
        yield layer, "call", _batch_normalization(layer)


def _batch_normalization(layer: keras.layers.BatchNormalization) -> Callable[..., tf.Tensor]:
    """Gives what the layer does, with the gradient of the whole instead of those of its dozen operators: 11 passes, not 29."""

    def call(x: tf.Tensor, training: bool | None = None, mask: object = None) -> tf.Tensor:
        channels = x.shape[layer.axis]
        if not (training and layer.trainable) or mask is not None or layer.axis not in (-1, len(x.shape) - 1):
            return type(layer).call(layer, x, training=training, mask=mask)
        gamma = layer.gamma.value if layer.scale else tf.ones([channels])
        beta = layer.beta.value if layer.center else tf.zeros([channels])
        axes = list(range(len(x.shape) - 1))
        mean = tf.reduce_mean(x, axes)
        around = tf.stop_gradient(x - mean)
        variance = tf.reduce_mean(around * around, axes)
        for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + tf.stop_gradient(now) * (1.0 - layer.momentum))
        count = float(x.shape.num_elements() // channels)
        return _normalized(x, gamma, beta, around, tf.stop_gradient(tf.math.rsqrt(variance + layer.epsilon)), count)

    return call


def _normalized(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, around: tf.Tensor, inverse: tf.Tensor, count: float
) -> tf.Tensor:
    """Gives gamma * (x - mean) / deviation + beta over a batch.

    `around`: x - mean; `inverse`: of the deviation, [C]; `count`: elements that the statistics are of. Ioffe and Szegedy,
    "Batch Normalization", 2015, section 3, gives the gradients by the parts; together they are

        dx = gamma / deviation * (dy - mean(dy) - x^ * mean(dy * x^)),  x^ = (x - mean) / deviation
    """

    @tf.custom_gradient
    def normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], Gradients]]:
        scale = gamma * inverse

        def gradient(dy: tf.Tensor) -> Gradients:
            axes = list(range(len(dy.shape) - 1))
            dbeta = tf.reduce_sum(dy, axes)
            dgamma = tf.reduce_sum(dy * around, axes) * inverse
            along = scale * inverse * dgamma / count
            return dy * scale - (around * along + scale * dbeta / count), dgamma, dbeta

        return around * scale + beta, gradient

    return normalized(x, gamma, beta)
