"""Gradients of TensorFlow operators, written with operators that every stock TFLite runtime has.

TensorFlow's own gradients of Relu, Conv2D, MaxPool and others emit operators without a TFLite builtin (ReluGrad,
Conv2DBackpropFilter, MaxPoolGrad, ...), which only a runtime with the Flex delegate, that is with TensorFlow inside, can run.
Each of them can be said in builtins. `BUILTIN` names them for `tf.Graph.gradient_override_map`, under which an unchanged Keras
model is traced; `tf.gradients` honours that map, a GradientTape does not. Operators that are not here (MatMul, Add, Mean,
Reshape, ...) have gradients of builtins already.

Notation: `x`, `w` and `y` are inputs, kernel and output of the operator, `dy` is the gradient of the loss by `y`.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import tensorflow as tf

from folkmoot.author import windows
from folkmoot.errors import UserFault

BUILTIN: dict[str, str] = {}
"""Type of operator to the name under which its gradient is registered."""

Gradient = TypeVar("Gradient", bound=Callable[..., object])


def _gradient_of(kind: str) -> Callable[[Gradient], Gradient]:
    BUILTIN[kind] = f"Folkmoot{kind}"
    return tf.RegisterGradient(BUILTIN[kind])


@_gradient_of("Relu")
def _relu(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    return dy * tf.cast(op.outputs[0] > 0, dy.dtype)


@_gradient_of("Relu6")
def _relu6(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return dy * tf.cast(tf.logical_and(y > 0, y < 6), dy.dtype)


@_gradient_of("Tanh")
def _tanh(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return dy * (1.0 - y * y)


@_gradient_of("Sigmoid")
def _sigmoid(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return dy * y * (1.0 - y)


@_gradient_of("Softmax")
def _softmax(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return (dy - tf.reduce_sum(dy * y, -1, keepdims=True)) * y


@_gradient_of("Rsqrt")
def _rsqrt(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    y = op.outputs[0]
    return -0.5 * dy * y * y * y


@_gradient_of("Conv2D")
def _conv2d(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    x, w = op.inputs
    if w.shape[2] != x.shape[3]:
        raise UserFault(f"{op.name} ({op.type}) has groups of channels, which cannot be trained yet: use one group")
    lay = windows.window(op, (w.shape[0], w.shape[1]))
    dx = tf.nn.conv2d(_surround(dy, lay), tf.transpose(_turned(w), [0, 1, 3, 2]), 1, "VALID")
    # dL/dw is itself a convolution: of x with dy, batch and channels exchanged; the stride becomes the dilation.
    seen = windows.pad(x, lay)[:, : _reach(lay, 0), : _reach(lay, 1), :]
    dw = tf.nn.conv2d(tf.transpose(seen, [3, 1, 2, 0]), tf.transpose(dy, [1, 2, 0, 3]), 1, "VALID", dilations=lay.stride)
    return dx, tf.transpose(dw, [1, 2, 0, 3])


@_gradient_of("DepthwiseConv2dNative")
def _depthwise(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    x, w = op.inputs
    if w.shape[3] != 1:
        raise UserFault(f"{op.name} ({op.type}) multiplies channels, which cannot be trained yet: use depth_multiplier=1")
    lay = windows.window(op, (w.shape[0], w.shape[1]))
    dx = tf.nn.depthwise_conv2d(_surround(dy, lay), _turned(w), [1, 1, 1, 1], "VALID")
    seen = windows.pad(x, lay)
    taps = [tf.reduce_sum(windows.tap(seen, lay, i, j) * dy, [0, 1, 2]) for i, j in lay.taps()]
    return dx, tf.reshape(tf.stack(taps), w.shape)


@_gradient_of("MaxPool")
def _max_pool(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    """Where several elements of a window are its maximum, the first one has the gradient, as in TensorFlow."""
    x, y = op.inputs[0], op.outputs[0]
    lay = windows.window(op, tuple(op.get_attr("ksize")[1:3]))
    seen = windows.pad(x, lay, np.finfo(np.float32).min)
    left, parts = dy, {}  # what no tap has taken yet
    for i, j in lay.taps():
        parts[i, j] = left * tf.cast(tf.equal(windows.tap(seen, lay, i, j), y), dy.dtype)
        left -= parts[i, j]
    return windows.scatter(parts, lay)


@_gradient_of("AvgPool")
def _avg_pool(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    """Padding does not count in the mean, so that windows at the border have fewer elements."""
    lay = windows.window(op, tuple(op.get_attr("ksize")[1:3]))
    counts = [
        np.diff(np.clip([starts := np.arange(o) * s - p, starts + k], 0, n), axis=0)[0]
        for o, s, p, k, n in zip(lay.out, lay.stride, lay.before, lay.kernel, lay.size, strict=True)
    ]
    share = dy * (1.0 / np.outer(*counts)).astype(np.float32)[None, :, :, None]
    return windows.scatter(dict.fromkeys(lay.taps(), share), lay)


@_gradient_of("StridedSlice")
def _strided_slice(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, None, None, None]:
    x = op.inputs[0]
    begin, end, stride = (tf.get_static_value(t) for t in op.inputs[1:])
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "shrink_axis", "new_axis", "ellipsis")}
    if masks["new_axis"] or masks["ellipsis"] or begin is None or end is None or stride is None or (stride != 1).any():
        raise UserFault(f"{op.name} ({op.type}) must be a slice of step 1 with constant bounds to be trained")
    pads, kept = [], []
    for axis, size in enumerate(x.shape):
        first, last, _ = slice(
            None if axis >= len(begin) or masks["begin"] >> axis & 1 else int(begin[axis]),
            None if axis >= len(end) or masks["end"] >> axis & 1 else int(end[axis]),
        ).indices(size)
        if masks["shrink_axis"] >> axis & 1:
            last = first + 1
        pads.append([first, size - last])
        kept.append(last - first)
    return tf.pad(tf.reshape(dy, kept), pads), None, None, None


def _turned(w: tf.Tensor) -> tf.Tensor:
    # Two operators: tflite-runtime 2.14 takes a reversal of two axes and silently reverses the first one alone.
    return tf.reverse(tf.reverse(w, [0]), [1])


def _reach(lay: windows.Window, axis: int) -> int:
    """Gives how many rows (axis 0) or columns (1) of the padded input some window sees."""
    return (lay.out[axis] - 1) * lay.stride[axis] + lay.kernel[axis]


def _surround(dy: tf.Tensor, lay: windows.Window) -> tf.Tensor:
    """Gives `dy` spread by the stride, with zeros around: a VALID convolution with the turned kernel then gives dL/dx."""
    spread = windows.dilate(dy, lay.stride)
    pads = []
    for k, before, n, reach in zip(lay.kernel, lay.before, lay.size, spread.shape[1:3], strict=True):
        pads.append([k - 1 - before, n - reach + before])
    return tf.pad(spread, [[0, 0], *pads, [0, 0]])
