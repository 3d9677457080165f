"""Every gradient and every stand-in that is written with builtins is TensorFlow's own."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from folkmoot.author.operator import GRADIENTS, STAND_INS, translated
from folkmoot.author.operators import random
from folkmoot.errors import UserFault
from tests.author import draws

CLOSE = 1e-5  # of the largest element of TensorFlow's own

Function = Callable[..., tf.Tensor]
Shape = tuple[int, ...]


def both(function: Function, inputs: list[tf.Tensor], *, ours: bool) -> list[tf.Tensor]:
    """Gives what `function` gives, and the gradients of a weighted sum of it by each of its inputs."""

    @tf.function(autograph=False)
    def traced(*inputs: tf.Tensor) -> list[tf.Tensor]:
        with translated(gradients=ours, kinds=STAND_INS if ours else ()):
            y = function(*inputs)
            weight = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
            return [y, *map(tf.convert_to_tensor, tf.gradients(tf.reduce_sum(y * weight), list(inputs)))]

    return traced(*inputs)


def apart(function: Function, *shapes: Shape, theirs: Function | None = None) -> float:
    """Gives the largest difference between ours and TensorFlow's, relative to the largest element of TensorFlow's.

    Inputs are rounded to one decimal, so that windows have several elements that are their maximum. `theirs`: the same in other
    words, where TensorFlow has no gradient of `function` on a processor without oneDNN.
    """
    rng = np.random.default_rng(0)
    inputs = [tf.constant(rng.standard_normal(shape).round(1).astype(np.float32)) for shape in shapes]
    pairs = zip(both(function, inputs, ours=True), both(theirs or function, inputs, ours=False), strict=True)
    return max(float(tf.reduce_max(abs(a - b)) / tf.reduce_max(abs(b))) for a, b in pairs)


def operators(function: Function, *shapes: Shape) -> set[str]:
    """Gives the types of operator of which a function consists in TensorFlow."""
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    traced = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    return {op.type for op in traced.graph.get_operations()}


ONE: dict[str, Function] = {
    "Abs": tf.abs,
    "Elu": tf.nn.elu,
    "Erf": tf.math.erf,
    "Erfc": tf.math.erfc,
    "LeakyRelu": lambda x: tf.nn.leaky_relu(x, 0.3),
    "Maximum": lambda x: tf.maximum(x, 0.3),
    "Minimum": lambda x: tf.minimum(0.2, x),
    "Reciprocal": lambda x: tf.math.reciprocal(x * x + 0.3),
    "Relu": tf.nn.relu,
    "Relu6": lambda x: tf.nn.relu6(4 * x),
    "Rsqrt": lambda x: tf.math.rsqrt(x * x + 0.1),
    "Selu": tf.nn.selu,
    "Sigmoid": tf.sigmoid,
    "Softmax": tf.nn.softmax,
    "Softplus": lambda x: tf.nn.softplus(30 * x),
    "Softsign": tf.nn.softsign,
    "Sqrt": lambda x: tf.sqrt(x * x + 0.1),
    "Tanh": tf.tanh,
}
REDUCED: dict[str, Function] = {
    "Mean of all": lambda x: tf.reduce_mean(x)[None],
    "Mean of the last": lambda x: tf.reduce_mean(x, -1),
    "Mean of the first two": lambda x: tf.reduce_mean(x, [0, 1]),
    "Sum of the middle": lambda x: tf.reduce_sum(x, 1, keepdims=True),
    "Sum of none": lambda x: tf.reduce_sum(x, []),
    "Tile": lambda x: tf.tile(x, [1, 2, 3]),
}
TAKEN: dict[str, Function] = {
    "StridedSlice, the front": lambda x: x[:, :3],
    "StridedSlice, the middle": lambda x: x[:, 1:-1, 2:4],
    "StridedSlice, one": lambda x: x[:, 2],
    "StridedSlice, the last": lambda x: x[:, -1],
    "StridedSlice, beyond": lambda x: x[:, 2:99],
    "StridedSlice, every other": lambda x: x[:, ::2],
    "StridedSlice, every third": lambda x: x[:, 1::3, 1:5:2],
    "StridedSlice, a new axis": lambda x: x[:, None, 1:3],
    "StridedSlice, behind an ellipsis": lambda x: x[..., None, 1:3],
    "GatherV2, rows": lambda x: tf.gather(x, [[0, 2], [2, 2]]),
    "GatherV2, columns": lambda x: tf.gather(x, [[1, 1], [4, 0]], axis=2),
    "MirrorPad, reflected": lambda x: tf.pad(x, [[0, 0], [2, 1], [1, 3]], "REFLECT"),
    "MirrorPad, symmetric": lambda x: tf.pad(x, [[0, 0], [2, 0], [1, 3]], "SYMMETRIC"),
}
# Of a kernel, a stride and a padding, to a function and the shapes of its inputs.
WINDOWS: dict[str, Callable[[tuple[int, int], int, str], tuple[Function, list[Shape]]]] = {
    "Conv2D": lambda k, s, p: (lambda x, w: tf.nn.conv2d(x, w, s, p), [(3, 9, 8, 2), (*k, 2, 5)]),
    "Conv2D, one channel": lambda k, s, p: (lambda x, w: tf.nn.conv2d(x, w, s, p), [(3, 9, 8, 1), (*k, 1, 5)]),
    "Conv2DBackpropInput": lambda k, s, p: (
        lambda x, w: tf.nn.conv2d_transpose(x, w, (3, *_grown(k, s, p), 2), s, p),
        [(3, 5, 4, 4), (*k, 2, 4)],
    ),
    "DepthwiseConv2dNative": lambda k, s, p: (
        lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, s, s, 1], p),
        [(3, 9, 8, 2), (*k, 2, 3)],
    ),
    "MaxPool": lambda k, s, p: (lambda x: tf.nn.max_pool2d(x, k, s, p), [(3, 9, 8, 2)]),
    "AvgPool": lambda k, s, p: (lambda x: tf.nn.avg_pool2d(x, k, s, p), [(3, 9, 8, 2)]),
}


def _grown(kernel: tuple[int, int], stride: int, padding: str) -> tuple[int, int]:
    high, wide = ((n - 1) * stride + (1 if padding == "SAME" else k) for n, k in zip((5, 4), kernel, strict=True))
    return high, wide


def kind(name: str) -> str:
    """Gives the type of operator that a case is of."""
    return name.partition(",")[0].partition(" ")[0]


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_element_and_their_gradients(name: str) -> None:
    assert kind(name) in operators(ONE[name], (4, 7))
    assert apart(ONE[name], (4, 7)) <= CLOSE


@pytest.mark.parametrize("name", REDUCED | TAKEN)
def test_gradients_of_what_takes_and_repeats_parts(name: str) -> None:
    assert kind(name) in operators((REDUCED | TAKEN)[name], (4, 6, 5))
    assert apart((REDUCED | TAKEN)[name], (4, 6, 5)) <= CLOSE


@pytest.mark.parametrize("function", [tf.maximum, tf.minimum])
def test_the_larger_of_two_that_are_broadcast(function: Function) -> None:
    assert apart(function, (4, 7), (7,)) <= CLOSE
    assert apart(function, (4, 1), (1, 7)) <= CLOSE


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (3, 2), (5, 4)])
def test_operators_with_windows_and_their_gradients(name: str, padding: str, stride: int, kernel: tuple[int, int]) -> None:
    function, shapes = WINDOWS[name](kernel, stride, padding)
    assert kind(name) in operators(function, *shapes)
    assert apart(function, *shapes) <= CLOSE


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize(("stride", "padding"), [(1, "SAME"), (2, "VALID"), (3, "SAME")])
def test_convolutions_in_groups(groups: int, stride: int, padding: str) -> None:
    def split(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        parts = zip(tf.split(x, groups, 3), tf.split(w, groups, 3), strict=True)
        return tf.concat([tf.nn.conv2d(*part, stride, padding) for part in parts], 3)

    shapes = [(3, 9, 8, 4), (3, 2, 4 // groups, 8)]
    assert apart(lambda x, w: tf.nn.conv2d(x, w, stride, padding), *shapes, theirs=split) <= CLOSE


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("dilation", [(2, 3), (1, 2)])
def test_convolutions_with_holes_in_the_kernel(channels: int, padding: str, dilation: tuple[int, int]) -> None:
    shapes = [(2, 11, 10, channels), (3, 2, channels, 4)]

    def by_batches(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return tf.nn.convolution(x, w, padding=padding, dilations=dilation)

    assert apart(lambda x, w: tf.nn.conv2d(x, w, 1, padding, dilations=dilation), *shapes, theirs=by_batches) <= CLOSE


@pytest.mark.parametrize("turned", [(a, b) for a in (False, True) for b in (False, True)])
def test_products_of_matrices(turned: tuple[bool, bool]) -> None:
    shapes = [(5, 3) if turned[0] else (3, 5), (4, 5) if turned[1] else (5, 4)]
    assert apart(lambda x, w: tf.matmul(x, w, *turned), *shapes) <= CLOSE


def test_everything_that_is_written_is_tested() -> None:
    tested = {kind(name) for name in [*ONE, *REDUCED, *TAKEN, *WINDOWS]} | {"MatMul"}
    assert GRADIENTS.keys() | (STAND_INS.keys() - set(random.KINDS)) == tested


def test_softplus_is_finite_where_its_exponential_is_not() -> None:
    found = both(tf.nn.softplus, [tf.constant([[100.0, -200.0]])], ours=True)
    assert found[0].numpy().tolist() == [[100.0, 0.0]]
    assert np.isfinite(found[1]).all()


def drawn(shape: Shape, seed: int, number: int) -> np.ndarray:
    """Gives the numbers of a program's operator, reckoned in TensorFlow."""
    return tf.function(lambda: random.uniform(shape, tf.constant(seed), (0, number)), autograph=False)().numpy()


@pytest.mark.parametrize("seed", [0, 1, 46_337, 2**31 - 1])
def test_random_numbers_are_those_of_the_definition(seed: int) -> None:
    for number, shape in enumerate([(3, 5), (16, 100), (2, 9, 8, 3)]):
        assert np.array_equal(drawn(shape, seed, number), draws.uniform(shape, seed, number))


def test_random_numbers_are_even_and_unlike_one_another() -> None:
    rows, columns = 64, 512
    steps = np.stack([draws.uniform((rows, columns), seed, 0) for seed in range(40)])
    assert ((steps >= 0) & (steps < 1)).all()
    # Of a million fair draws, a tenth has 100,000 with a deviation of 300.
    tenths, _ = np.histogram(steps, 10, (0, 1))
    assert np.abs(tenths - steps.size / 10).max() < 6 * np.sqrt(steps.size * 0.09)
    for one, other in [
        (steps[:, :, 1:], steps[:, :, :-1]),
        (steps[:, 1:], steps[:, :-1]),
        (steps[1:], steps[:-1]),
        (steps, np.stack([draws.uniform((rows, columns), seed, 1) for seed in range(40)])),
    ]:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 6 / np.sqrt(one.size)


REFUSED: dict[str, tuple[Function, list[Shape]]] = {
    "a slice of positive step": (lambda x: x[:, ::-1], [(2, 6)]),
    "must gather along one constant axis": (lambda x: tf.gather(x, [[0], [1]], batch_dims=1), [(2, 6)]),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_has_no_gradient_is_refused_with_its_place(why: str) -> None:
    function, shapes = REFUSED[why]
    with pytest.raises(UserFault, match=why):
        both(function, [tf.zeros(shape) for shape in shapes], ours=True)
