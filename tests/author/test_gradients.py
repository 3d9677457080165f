"""Every gradient that is written with builtins is TensorFlow's own."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from folkmoot.author.gradients import BUILTIN
from folkmoot.errors import UserFault

CLOSE = 1e-5  # of the largest element of TensorFlow's gradient

Function = Callable[..., tf.Tensor]


def gradients(function: Function, inputs: list[tf.Tensor], overrides: dict[str, str]) -> list[tf.Tensor]:
    """Gives the gradients of a weighted sum of what `function` gives, by each of its inputs."""

    @tf.function(autograph=False)
    def traced(*inputs: tf.Tensor) -> list[tf.Tensor]:
        with tf.compat.v1.get_default_graph().gradient_override_map(overrides):
            y = function(*inputs)
        weight = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
        return tf.gradients(tf.reduce_sum(y * weight), list(inputs))

    return traced(*inputs)


def apart(function: Function, *shapes: tuple[int, ...]) -> float:
    """Gives the largest difference between our gradients and TensorFlow's, relative to the largest element of TensorFlow's.

    Inputs are rounded to one decimal, so that windows have several elements that are their maximum.
    """
    rng = np.random.default_rng(0)
    inputs = [tf.constant(rng.standard_normal(shape).round(1).astype(np.float32)) for shape in shapes]
    ours, theirs = gradients(function, inputs, BUILTIN), gradients(function, inputs, {})
    return max(float(tf.reduce_max(abs(a - b)) / tf.reduce_max(abs(b))) for a, b in zip(ours, theirs, strict=True))


def operators(function: Function, *shapes: tuple[int, ...]) -> set[str]:
    """Gives the types of operator of which a function consists."""
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    traced = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    return {op.type for op in traced.graph.get_operations()}


ELEMENTWISE = {
    "Relu": tf.nn.relu,
    "Relu6": lambda x: tf.nn.relu6(4 * x),
    "Tanh": tf.tanh,
    "Sigmoid": tf.sigmoid,
    "Softmax": tf.nn.softmax,
    "Rsqrt": lambda x: tf.math.rsqrt(x * x + 0.1),
}

SLICES: dict[str, Function] = {
    "front": lambda x: x[:, :3],
    "middle": lambda x: x[:, 1:-1, 2:4],
    "one": lambda x: x[:, 2],
    "last": lambda x: x[:, -1],
    "beyond": lambda x: x[:, 2:99],
}

WINDOWS: dict[str, Callable[[tuple[int, int], int, str], tuple[Function, list[tuple[int, ...]]]]] = {
    "Conv2D": lambda k, s, p: (lambda x, w: tf.nn.conv2d(x, w, s, p), [(3, 9, 8, 2), (*k, 2, 5)]),
    "DepthwiseConv2dNative": lambda k, s, p: (
        lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, s, s, 1], p),
        [(3, 9, 8, 2), (*k, 2, 1)],
    ),
    "MaxPool": lambda k, s, p: (lambda x: tf.nn.max_pool2d(x, k, s, p), [(3, 9, 8, 2)]),
    "AvgPool": lambda k, s, p: (lambda x: tf.nn.avg_pool2d(x, k, s, p), [(3, 9, 8, 2)]),
}


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_gradient_of_an_elementwise_operator(kind: str) -> None:
    assert kind in operators(ELEMENTWISE[kind], (4, 7))
    assert apart(ELEMENTWISE[kind], (4, 7)) <= CLOSE


@pytest.mark.parametrize("part", SLICES)
def test_gradient_of_a_slice(part: str) -> None:
    assert "StridedSlice" in operators(SLICES[part], (4, 6, 5))
    assert apart(SLICES[part], (4, 6, 5)) <= CLOSE


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (3, 2), (5, 4)])
def test_gradient_of_an_operator_with_windows(kind: str, padding: str, stride: int, kernel: tuple[int, int]) -> None:
    function, shapes = WINDOWS[kind](kernel, stride, padding)
    assert kind in operators(function, *shapes)
    assert apart(function, *shapes) <= CLOSE


def test_every_gradient_that_is_written_is_tested() -> None:
    assert {*ELEMENTWISE, "StridedSlice", *WINDOWS} == BUILTIN.keys()


REFUSED: dict[str, tuple[Function, list[tuple[int, ...]]]] = {
    "groups": (lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), [(2, 6, 6, 4), (3, 3, 2, 4)]),
    "dilation": (lambda x, w: tf.nn.conv2d(x, w, 1, "SAME", dilations=2), [(2, 6, 6, 2), (3, 3, 2, 4)]),
    "depth_multiplier": (lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME"), [(2, 6, 6, 2), (3, 3, 2, 2)]),
    "slice of step 1": (lambda x: x[:, ::2], [(2, 6)]),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_has_no_gradient_yet_is_refused_with_its_place(why: str) -> None:
    function, shapes = REFUSED[why]
    inputs = [tf.zeros(shape) for shape in shapes]
    with pytest.raises(UserFault, match=why):
        gradients(function, inputs, BUILTIN)
