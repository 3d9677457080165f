"""Functions of one element each, and the softmax.

Gradients are products of `dy` with what can be said of `x` or `y` in multiplications, additions and minima: comparisons and
selections run in slow reference kernels where those run vectorised. A step of 32 x 25 x 5 x 64 elements: `y > 0` takes 510 us,
a product 29 us (tflite-runtime 2.14, x86-64, one thread).
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from folkmoot.author.operator import Call, gradient_of, late, stand_in

# Times the smallest normal float32, this is still above 1.
STEEP = 3e38


def step(x: tf.Tensor, dy: tf.Tensor | None = None) -> tf.Tensor:
    """Gives -1, 0 or 1: the sign, not before `dy` is there. One multiplication in TFLite, with its result bounded."""
    return tf.maximum(-1.0, tf.minimum(x * (STEEP if dy is None else late(STEEP, dy)), 1.0))


@gradient_of("Relu")
def _relu(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    return dy * step(op.outputs[0], dy)  # which is nowhere negative


@gradient_of("Relu6")
def _relu6(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return dy * step(y, dy) * step(late(6.0, dy) - y)


@gradient_of("LeakyRelu")
def _leaky_relu(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    alpha = op.get_attr("alpha")
    above = tf.nn.relu(step(op.inputs[0], dy))
    return dy * (alpha + (1.0 - alpha) * above)


@gradient_of("Elu")
def _elu(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    return dy * (tf.minimum(op.outputs[0], 0.0) + 1.0)  # below 0, y + 1 = exp(x)


# Klambauer et al., "Self-Normalizing Neural Networks", 2017: scale * (x, or alpha * (exp(x) - 1) below 0).
SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


@stand_in("Selu")
def _selu(call: Call) -> list[tf.Tensor]:
    @tf.custom_gradient
    def selu(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        y = SCALE * (tf.nn.relu(x) + ALPHA * (tf.exp(tf.minimum(x, 0.0)) - 1.0))
        return y, lambda dy: dy * (SCALE + tf.nn.relu(step(-y)) * (y + SCALE * (ALPHA - 1.0)))

    return [selu(call.inputs[0])]


@stand_in("Softsign")
def _softsign(call: Call) -> list[tf.Tensor]:
    (x,) = call.inputs
    return [x / (1.0 + tf.abs(x))]


@stand_in("Softplus")
def _softplus(call: Call) -> list[tf.Tensor]:
    """The converter would write log(1 + exp(x)), which is infinite from 89 on."""

    @tf.custom_gradient
    def softplus(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        y = tf.nn.relu(x) + tf.math.log(1.0 + tf.exp(-tf.abs(x)))
        return y, lambda dy: dy * tf.sigmoid(x)

    return [softplus(call.inputs[0])]


@gradient_of("Tanh")
def _tanh(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return dy - dy * y * y


@gradient_of("Sigmoid")
def _sigmoid(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    part = dy * y
    return part - part * y


@gradient_of("Softmax")
def _softmax(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return (dy - tf.reduce_sum(dy * y, -1, keepdims=True)) * y


@gradient_of("Rsqrt")
def _rsqrt(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return -0.5 * dy * y * y * y


@gradient_of("Sqrt")
def _sqrt(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    return 0.5 * dy / op.outputs[0]


@gradient_of("Reciprocal")
def _reciprocal(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return -dy * y * y


@gradient_of("Abs")
def _abs(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    return dy * step(op.inputs[0], dy)


@gradient_of("Maximum")
def _maximum(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return _larger(op, dy, op.inputs[0] - op.inputs[1])


@gradient_of("Minimum")
def _minimum(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return _larger(op, dy, op.inputs[1] - op.inputs[0])


def _larger(op: tf.Operation, dy: tf.Tensor, ahead: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Gives the gradients of the first input where `ahead` is not negative, else of the second: TensorFlow's way with ties."""
    second = dy * tf.nn.relu(step(-ahead, dy))
    return _summed(dy - second, op.inputs[0]), _summed(second, op.inputs[1])


def _summed(gradient: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Gives the gradient by an input that was broadcast: summed over what it was repeated along."""
    extra = len(gradient.shape) - len(like.shape)
    axes = [axis for axis in range(len(gradient.shape)) if axis < extra or like.shape[axis - extra] != gradient.shape[axis]]
    return tf.reshape(tf.reduce_sum(gradient, axes), like.shape) if axes else gradient


@stand_in("Erf")
def _erf(call: Call) -> list[tf.Tensor]:
    return [_error_function(call.inputs[0])]


@stand_in("Erfc")
def _erfc(call: Call) -> list[tf.Tensor]:
    return [1.0 - _error_function(call.inputs[0])]


# erf(x) = x * P(x^2 / 16) / Q(x^2 / 16), the constant first: fitted by weighted least squares to 4,001 points of |x| <= 3.9,
# with a largest relative error of 1.7e-8. All coefficients are positive, so that nothing cancels in float32.
ABOVE = (1.12837915, 3.03476751, 13.4831695, 15.31304427, 18.68129184, 2.1666325)
BELOW = (1.0, 8.0228172, 29.138242, 61.09048465, 75.85128303, 40.12627025)
FLAT = 4.0  # 1 - erf(4) is 1.5e-8, a quarter of what float32 resolves there


@tf.custom_gradient
def _error_function(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    near = tf.maximum(-FLAT, tf.minimum(x, FLAT))
    z = near * near * (1 / 16)
    y = tf.maximum(-1.0, tf.minimum(near * (_polynomial(ABOVE, z) / _polynomial(BELOW, z)), 1.0))
    return y, lambda dy: dy * (2 / np.sqrt(np.pi)).astype(np.float32) * tf.exp(-x * x)


def _polynomial(coefficients: tuple[float, ...], z: tf.Tensor) -> tf.Tensor:
    """Gives a polynomial by Horner's rule; the constant comes first."""
    *lower, highest = coefficients
    value = z * highest + lower[-1]
    for coefficient in reversed(lower[:-1]):
        value = value * z + coefficient
    return value
