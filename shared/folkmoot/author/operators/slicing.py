"""Taking elements out of a tensor: slices, rows by number, and padding by what stands at the border."""

from typing import Any

import numpy as np
import tensorflow as tf

from folkmoot.author.operator import gradient_of
from folkmoot.errors import UserFault


@gradient_of("StridedSlice")
def _strided_slice(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, None, None, None]:
    x = op.inputs[0]
    spread = []  # for each axis of x: the first element, how many, and how far apart
    for axis, part in enumerate(_indices(op, len(x.shape))):
        first, last, step = part.indices(x.shape[axis])
        if step < 0:
            raise UserFault(
                f"{op.name} ({op.type}) must be a slice of positive step to be trained: reverse with keras.ops.flip"
            )
        spread.append((first, max(0, -(-(last - first) // step)), step))
    gradient = tf.reshape(dy, [count for _, count, _ in spread])
    pads = []
    for axis, (first, count, step) in enumerate(spread):
        gradient = _apart(gradient, axis, step)
        pads.append([first, x.shape[axis] - first - ((count - 1) * step + 1)])
    return (tf.pad(gradient, pads) if pads else gradient), None, None, None


def _indices(op: tf.Operation, rank: int) -> list[slice]:
    """Gives the slice of each axis of the input, as numpy would take it; an axis that is dropped is a slice of one element."""
    begin, end, stride = (tf.get_static_value(t) for t in op.inputs[1:])
    if begin is None or end is None or stride is None:
        raise UserFault(f"{op.name} ({op.type}) must be a slice with constant bounds to be trained")
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "shrink_axis", "new_axis", "ellipsis")}
    named = sum(not (masks["new_axis"] | masks["ellipsis"]) >> i & 1 for i in range(len(begin)))
    found: list[slice] = []
    for i in range(len(begin)):
        if masks["ellipsis"] >> i & 1:
            found += [slice(None)] * (rank - named)
        elif masks["shrink_axis"] >> i & 1:
            at = int(begin[i])
            found.append(slice(at, at + 1 or None))
        elif not masks["new_axis"] >> i & 1:
            first, last = (None if masks[m] >> i & 1 else int(v[i]) for m, v in (("begin", begin), ("end", end)))
            found.append(slice(first, last, int(stride[i])))
    return found + [slice(None)] * (rank - len(found))


def _apart(t: tf.Tensor, axis: int, step: int) -> tf.Tensor:
    """Gives `t` with step - 1 zeros between its elements along an axis."""
    if step == 1:
        return t
    shape = list(t.shape)
    before, after = shape[:axis], shape[axis + 1 :]
    rows = tf.reshape(t, [int(np.prod(before)), shape[axis], 1, int(np.prod(after))])
    rows = tf.pad(rows, [[0, 0], [0, 0], [0, step - 1], [0, 0]])
    whole = tf.reshape(rows, [int(np.prod(before)), shape[axis] * step, int(np.prod(after))])
    return tf.reshape(whole[:, : (shape[axis] - 1) * step + 1], [*before, (shape[axis] - 1) * step + 1, *after])


@gradient_of("GatherV2")
def _gather(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, None, None]:
    """Rows that are taken several times have the sum. A product with the rows' numbers as unit vectors is exact, and fast."""
    x, indices = op.inputs[:2]
    axis = tf.get_static_value(op.inputs[2])
    if axis is None or op.get_attr("batch_dims"):
        raise UserFault(f"{op.name} ({op.type}) must gather along one constant axis to be trained")
    axis = int(axis) % len(x.shape)
    rows = int(np.prod(indices.shape))
    order = [*range(axis, axis + len(indices.shape)), *range(axis), *range(axis + len(indices.shape), len(dy.shape))]
    flat = tf.reshape(tf.transpose(dy, order) if axis else dy, [rows, -1])
    chosen = tf.one_hot(tf.reshape(indices, [rows]), x.shape[axis])
    summed: Any = tf.matmul(chosen, flat, transpose_a=True)
    rest = [x.shape[i] for i in range(len(x.shape)) if i != axis]
    back = [*range(1, axis + 1), 0, *range(axis + 1, len(x.shape))]
    summed = tf.reshape(summed, [x.shape[axis], *rest])
    return (tf.transpose(summed, back) if axis else summed), None, None


@gradient_of("MirrorPad")
def _mirror_pad(op: tf.Operation, dy: tf.Tensor) -> tuple[tf.Tensor, None]:
    """What was mirrored is folded back, axis by axis."""
    pads, near = tf.get_static_value(op.inputs[1]), int(op.get_attr("mode") == b"REFLECT")
    if pads is None:
        raise UserFault(f"{op.name} ({op.type}) must pad by constants to be trained")
    for axis, (before, after) in enumerate(pads):
        size = op.inputs[0].shape[axis]
        middle = _part(dy, axis, before, size)
        if before:
            folded = tf.reverse(_part(dy, axis, 0, before), [axis])
            middle += _placed(folded, axis, near, size)
        if after:
            folded = tf.reverse(_part(dy, axis, before + size, after), [axis])
            middle += _placed(folded, axis, size - near - after, size)
        dy = middle
    return dy, None


def _part(t: tf.Tensor, axis: int, first: int, count: int) -> tf.Tensor:
    begin, size = [0] * len(t.shape), list(t.shape)
    begin[axis], size[axis] = first, count
    return tf.slice(t, begin, size)


def _placed(t: tf.Tensor, axis: int, first: int, size: int) -> tf.Tensor:
    pads = [[0, 0] for _ in t.shape]
    pads[axis] = [first, size - first - t.shape[axis]]
    return tf.pad(t, pads)
