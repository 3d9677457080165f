"""The largest and the mean of windows."""

import numpy as np
import tensorflow as tf

from folkmoot.author import windows
from folkmoot.author.operator import gradient_of, late
from folkmoot.author.operators.activations import step
from folkmoot.author.windows import Window


@gradient_of("MaxPool")
def _max_pool(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    """Where several elements of a window are its maximum, the first one has the gradient, as in TensorFlow."""
    x, y = op.inputs[0], op.outputs[0]
    laid = _laid(op)
    seen = windows.pad(late(x, dy), laid, np.finfo(np.float32).min)
    left, parts = dy, {}  # what no tap has taken yet
    *others, last = laid.taps()
    for i, j in others:
        below = step(y - windows.tap(seen, laid, i, j))  # 0 where this is the maximum
        kept = left * below
        parts[i, j] = left - kept
        left = kept
    return windows.scatter({**parts, last: left}, laid)


@gradient_of("AvgPool")
def _avg_pool(op: tf.Operation, dy: tf.Tensor) -> tf.Tensor:
    """Padding does not count in the mean, so that windows at the border have fewer elements."""
    laid = _laid(op)
    counts = [
        np.diff(np.clip([starts := np.arange(o) * s - p, starts + k], 0, n), axis=0)[0]
        for o, s, p, k, n in zip(laid.out, laid.stride, laid.before, laid.kernel, laid.size, strict=True)
    ]
    share = dy * (1.0 / np.outer(*counts)).astype(np.float32)[None, :, :, None]
    return windows.scatter(dict.fromkeys(laid.taps(), share), laid)


def _laid(op: tf.Operation) -> Window:
    sizes = (tuple(tensor.shape[1:3]) for tensor in (op.inputs[0], op.outputs[0]))
    return windows.window(op, tuple(op.get_attr("ksize")[1:3]), *sizes)
