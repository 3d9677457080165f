"""What operators with sliding windows have in common: where each window lies, and taking apart and putting together by taps.

A window of height k_h and width k_w has k_h * k_w taps; tap (i, j) of all windows together is a tensor in the shape of the
operator's output. Tensors are NHWC with every dimension known, as a program's fixed batch makes them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf

from folkmoot.errors import UserFault


@dataclass(frozen=True, slots=True)
class Window:
    """How the windows of one operator lie over its input."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]  # between two taps: 1, they are neighbours
    size: tuple[int, int]  # of the input
    out: tuple[int, int]  # of the output
    before: tuple[int, int]  # padding above and on the left; TensorFlow puts the odd one below and on the right
    padding: tuple[int, int]  # in all

    @property
    def canvas(self) -> tuple[int, int]:
        """Gives the size of the padded input."""
        return self.size[0] + self.padding[0], self.size[1] + self.padding[1]

    @property
    def apart(self) -> bool:
        """Whether windows lie side by side: neither overlap nor gaps between them, and no padding."""
        return self.kernel == self.stride and self.padding == (0, 0) and self.dilation == (1, 1)

    def taps(self) -> Iterator[tuple[int, int]]:
        """Gives every tap, in the order in which TensorFlow looks for a maximum."""
        return ((i, j) for i in range(self.kernel[0]) for j in range(self.kernel[1]))


def window(op: tf.Operation, kernel: tuple[int, int], size: tuple[int, int], out: tuple[int, int]) -> Window:
    """Gives how `op` slides a window of size `kernel` over an image of `size`, which makes one of `out`.

    Raises UserFault where it does so in a way that no gradient is written for.
    """
    strides = op.get_attr("strides")
    dilations = op.get_attr("dilations") if "dilations" in op.node_def.attr else [1, 1, 1, 1]
    padding = op.get_attr("padding").decode()
    if op.get_attr("data_format") != b"NHWC" or padding not in ("SAME", "VALID"):
        raise UserFault(f"{op.name} ({op.type}) must have channels last, and padding SAME or VALID, to be trained")
    return lay(kernel, (strides[1], strides[2]), (dilations[1], dilations[2]), size, out, same=padding == "SAME")


def lay(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    size: tuple[int, int],
    out: tuple[int, int],
    *,
    same: bool,
) -> Window:
    """Gives how windows lie, padded as TensorFlow pads: `same` or not at all."""
    spans = ((o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(out, stride, kernel, dilation, strict=True))
    total = tuple(max(span - n, 0) if same else 0 for span, n in zip(spans, size, strict=True))
    return Window(kernel, stride, dilation, size, out, (total[0] // 2, total[1] // 2), (total[0], total[1]))


def pad(x: tf.Tensor, lay: Window, value: float = 0.0) -> tf.Tensor:
    """Gives the input with the padding that `lay` says, filled with `value`: [B, *canvas, C]."""
    if lay.padding == (0, 0):
        return x
    (top, left), (high, wide) = lay.before, lay.padding
    return tf.pad(x, [[0, 0], [top, high - top], [left, wide - left], [0, 0]], constant_values=value)


def tap(padded: tf.Tensor, lay: Window, i: int, j: int) -> tf.Tensor:
    """Gives what tap (i, j) of every window sees of a padded input: [B, *out, C]."""
    if lay.apart:  # without strides, which XNNPACK does not slice by
        (kh, kw), (oh, ow), (batch, channels) = lay.kernel, lay.out, (padded.shape[0], padded.shape[3])
        rows = tf.reshape(padded[:, : oh * kh, : ow * kw], [batch, oh, kh, ow, kw * channels])
        return tf.reshape(rows[:, :, i : i + 1, :, j * channels : (j + 1) * channels], [batch, oh, ow, channels])
    (sh, sw), (oh, ow), (i, j) = lay.stride, lay.out, (i * lay.dilation[0], j * lay.dilation[1])
    return padded[:, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw, :]


def patches(x: tf.Tensor, lay: Window) -> tf.Tensor:
    """Gives what every window sees, a column for each window: [k_h * k_w * C, B * oh * ow], taps before channels.

    Windows lie along the last axis because XNNPACK copies and multiplies long rows fast: of 25 taps of 32 x 28 x 28 x 1 they
    are made in 0.2 ms, and in 2.2 ms with the taps along the last axis (tflite-runtime 2.14, x86-64, one thread).
    """
    batch, channels = x.shape[0], x.shape[3]
    turned = tf.reshape(tf.transpose(tf.reshape(x, [-1, channels])), [channels, batch, *lay.size])
    (top, left), (high, wide) = lay.before, lay.padding
    if lay.padding != (0, 0):
        turned = tf.pad(turned, [[0, 0], [0, 0], [top, high - top], [left, wide - left]])
    (sh, sw), (oh, ow), (dh, dw) = lay.stride, lay.out, lay.dilation
    rows = []
    for i, j in lay.taps():
        seen = turned[:, :, i * dh : i * dh + (oh - 1) * sh + 1 : sh, j * dw : j * dw + (ow - 1) * sw + 1 : sw]
        rows.append(tf.reshape(seen, [channels, batch * oh * ow]))
    return tf.concat(rows, 0) if len(rows) > 1 else rows[0]


def dilate(t: tf.Tensor, stride: tuple[int, int]) -> tf.Tensor:
    """Gives `t` with stride - 1 zeros between its rows and columns: [B, (h-1)*s_h+1, (w-1)*s_w+1, C]."""
    (sh, sw), (batch, h, w, channels) = stride, t.shape
    if sh > 1:
        t = tf.pad(tf.reshape(t, [batch, h, 1, w * channels]), [[0, 0], [0, 0], [0, sh - 1], [0, 0]])
        t = tf.reshape(t, [batch, h * sh, w, channels])[:, : (h - 1) * sh + 1]
        h = (h - 1) * sh + 1
    if sw > 1:
        t = tf.pad(tf.reshape(t, [batch * h, w, 1, channels]), [[0, 0], [0, 0], [0, sw - 1], [0, 0]])
        t = tf.reshape(t, [batch, h, w * sw, channels])[:, :, : (w - 1) * sw + 1]
    return t


def scatter(parts: dict[tuple[int, int], tf.Tensor], lay: Window) -> tf.Tensor:
    """Gives the input-shaped sum of what every tap contributes to the element that it sees: [B, *size, C].

    `parts` maps each tap to a tensor in the shape of the output.
    """
    if lay.apart:
        return _interleave(parts, lay)
    high, wide = lay.canvas
    placed = []
    for (i, j), part in parts.items():
        spread = dilate(part, lay.stride)
        top, left = i * lay.dilation[0], j * lay.dilation[1]
        below, right = high - top - spread.shape[1], wide - left - spread.shape[2]
        placed.append(tf.pad(spread, [[0, 0], [top, below], [left, right], [0, 0]]))
    (top, left), (h, w) = lay.before, lay.size
    return tf.add_n(placed)[:, top : top + h, left : left + w, :]


def _interleave(parts: dict[tuple[int, int], tf.Tensor], lay: Window) -> tf.Tensor:
    """Gives the same as `scatter` where no two taps see one element: nothing to add, only copies."""
    (kh, kw), (oh, ow), (h, w) = lay.kernel, lay.out, lay.size
    batch, channels = parts[0, 0].shape[0], parts[0, 0].shape[3]
    rows = [tf.concat([parts[i, j] for j in range(kw)], axis=3) for i in range(kh)]
    whole = tf.concat([tf.reshape(row, [batch, oh, ow * kw * channels]) for row in rows], axis=2)
    whole = tf.reshape(whole, [batch, oh * kh, ow * kw, channels])
    if (h, w) == (oh * kh, ow * kw):
        return whole
    return tf.pad(whole, [[0, 0], [0, h - oh * kh], [0, w - ow * kw], [0, 0]])  # the rest that no window reaches


def turned(w: tf.Tensor) -> tf.Tensor:
    """Gives a kernel turned round in its first two axes."""
    # Two operators: tflite-runtime 2.14 takes a reversal of two axes and silently reverses the first one alone.
    return tf.reverse(tf.reverse(w, [0]), [1])


def surround(dy: tf.Tensor, lay: Window) -> tf.Tensor:
    """Gives `dy` spread by the stride, with zeros around: a VALID convolution with the turned kernel then gives dL/dx."""
    spread = dilate(dy, lay.stride)
    pads = []
    for k, d, before, n, reach in zip(lay.kernel, lay.dilation, lay.before, lay.size, spread.shape[1:3], strict=True):
        pads.append([(k - 1) * d - before, n - reach + before])
    return tf.pad(spread, [[0, 0], *pads, [0, 0]])
