"""Convolutions and their transposes, as products of matrices wherever those are faster.

With weights that change, a TFLite convolution runs in TFLite's own kernel and a product of matrices in XNNPACK, so the gradient
by the kernel is a product with `windows.patches`. The gradient by the input is what TensorFlow's own is: a transposed
convolution, which has a builtin.
"""

from typing import Any

import tensorflow as tf

from folkmoot.author import windows
from folkmoot.author.operator import Call, gradient_of, late, stand_in
from folkmoot.author.windows import Window


@stand_in("Conv2D")
def _conv2d(call: Call) -> list[tf.Tensor] | None:
    """Products of matrices where a kernel is 1 x 1 or has one channel; groups one by one.

    Of one channel only in training, where the gradient needs the patches too: they take k_h * k_w times the input's memory.
    """
    x, w = call.inputs
    if call.attributes["data_format"].s != b"NHWC":
        return None
    if w.shape[2] != x.shape[3]:
        groups = x.shape[3] // w.shape[2]
        parts = zip(tf.split(x, groups, 3), tf.split(w, groups, 3), strict=True)
        return [tf.concat([_convolve(*part, call.attributes) for part in parts], 3)]
    strides, size = list(call.attributes["strides"].list.i), tuple(w.shape[:2])
    channels, filters = w.shape[2:]
    if size == (1, 1) and strides == [1, 1, 1, 1]:
        flat = tf.matmul(tf.reshape(x, [-1, channels]), tf.reshape(w, [channels, filters]))
        return [tf.reshape(flat, [*x.shape[:3], filters])]
    if call.training and channels == 1 and call.attributes["padding"].s in (b"SAME", b"VALID"):
        laid = _laid(call, size)
        flat = tf.matmul(tf.reshape(w, [-1, filters]), windows.patches(x, laid), transpose_a=True)
        return [tf.reshape(tf.transpose(flat), [x.shape[0], *laid.out, filters])]
    return None


def _convolve(x: tf.Tensor, w: tf.Tensor, attributes: Any) -> tf.Tensor:
    """Gives a convolution with the attributes of another one."""
    padding: Any = attributes["padding"].s.decode()
    if padding == "EXPLICIT":
        flat = list(attributes["explicit_paddings"].list.i)
        padding = [flat[i : i + 2] for i in range(0, len(flat), 2)]
    return tf.nn.conv2d(x, w, list(attributes["strides"].list.i), padding, dilations=list(attributes["dilations"].list.i))


def _laid(call: Call, kernel: tuple[int, int]) -> Window:
    """Gives how the windows of a convolution lie that does not exist yet."""
    size = tuple(call.inputs[0].shape[1:3])
    stride, dilation = (tuple(call.attributes[name].list.i)[1:3] for name in ("strides", "dilations"))
    same = call.attributes["padding"].s == b"SAME"
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    rest = [0, 0] if same else [s - 1 for s in span]
    out = tuple(-(-(n - r) // s) for n, r, s in zip(size, rest, stride, strict=True))
    return windows.lay(kernel, stride, dilation, size, out, same=same)


@gradient_of("Conv2D")
def _conv2d_gradient(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    x, w = op.inputs
    laid = windows.window(op, tuple(w.shape[:2]), tuple(x.shape[1:3]), tuple(dy.shape[1:3]))
    return _by_input(dy, w, x.shape, op), _by_kernel(x, dy, laid)


@gradient_of("Conv2DBackpropInput")
def _transposed_gradient(op: tf.Operation, dy: tf.Tensor) -> tuple[None, tf.Tensor, tf.Tensor]:
    """A transposed convolution is the gradient of a convolution from `dy`'s shape to `z`'s; so its own are that one forward."""
    _, w, z = op.inputs
    laid = windows.window(op, tuple(w.shape[:2]), tuple(dy.shape[1:3]), tuple(z.shape[1:3]))
    attributes = {name: op.get_attr(name) for name in ("strides", "dilations")}
    dz = tf.nn.conv2d(dy, w, attributes["strides"], op.get_attr("padding").decode(), dilations=attributes["dilations"])
    return None, _by_kernel(dy, z, laid), dz


def _by_input(dy: tf.Tensor, w: tf.Tensor, shape: tf.TensorShape, op: tf.Operation) -> tf.Tensor:
    strides, dilations = op.get_attr("strides"), op.get_attr("dilations")
    if set(dilations) == {1}:
        return tf.nn.conv2d_transpose(dy, w, shape, strides, op.get_attr("padding").decode())
    # The builtin knows no dilation. Turned round, the kernel is convolved with `dy` spread by the stride.
    laid = windows.window(op, tuple(w.shape[:2]), tuple(shape[1:3]), tuple(dy.shape[1:3]))
    turned = tf.transpose(windows.turned(w), [0, 1, 3, 2])
    return tf.nn.conv2d(windows.surround(dy, laid), turned, 1, "VALID", dilations=dilations)


def _by_kernel(x: tf.Tensor, dy: tf.Tensor, laid: Window) -> tf.Tensor:
    """Gives dL/dw: what every window sees, times what is wanted of it. [k_h, k_w, C of x, C of dy]."""
    channels, filters = x.shape[3], dy.shape[3]
    wanted = tf.reshape(dy, [-1, filters])
    return tf.reshape(tf.matmul(windows.patches(late(x, dy), laid), wanted), [*laid.kernel, channels, filters])
