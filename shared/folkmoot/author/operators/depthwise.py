"""Convolutions of each channel by itself."""

import tensorflow as tf

from folkmoot.author import windows
from folkmoot.author.operator import gradient_of, late
from folkmoot.author.windows import Window


@gradient_of("DepthwiseConv2dNative")
def _depthwise(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """With a multiplier m, channel c of the input makes channels c * m to c * m + m - 1: m convolutions, one behind another."""
    x, w = op.inputs
    laid = windows.window(op, tuple(w.shape[:2]), tuple(x.shape[1:3]), tuple(dy.shape[1:3]))
    channels, multiplier = w.shape[2:]
    if multiplier == 1:
        return _by_input(dy, w, laid), _by_kernel(x, dy, laid)
    each = tf.unstack(tf.reshape(dy, [*dy.shape[:3], channels, multiplier]), axis=4)
    dx = tf.add_n([_by_input(part, w[:, :, :, m : m + 1], laid) for m, part in enumerate(each)])
    return dx, tf.concat([_by_kernel(x, part, laid) for part in each], 3)


def _by_input(dy: tf.Tensor, w: tf.Tensor, laid: Window) -> tf.Tensor:
    return tf.raw_ops.DepthwiseConv2dNative(
        input=windows.surround(dy, laid),
        filter=windows.turned(w),
        strides=[1, 1, 1, 1],
        padding="VALID",
        dilations=[1, *laid.dilation, 1],
    )


def _by_kernel(x: tf.Tensor, dy: tf.Tensor, laid: Window) -> tf.Tensor:
    """Gives dL/dw for a multiplier of 1: [k_h, k_w, C, 1]."""
    seen = windows.pad(late(x, dy), laid)
    taps = [tf.reduce_sum(windows.tap(seen, laid, i, j) * dy, [0, 1, 2]) for i, j in laid.taps()]
    return tf.reshape(tf.stack(taps), [*laid.kernel, x.shape[3], 1])
