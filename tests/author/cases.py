"""A model for every layer that the compiler covers, in shapes drawn from a seed.

Each is small, has the layer between others, so that gradients flow into it and out of it, and is trained on generated examples.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from numpy.random import Generator

from folkmoot.author.draft import Draft
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

layers = keras.layers
Make = Callable[[Generator], Draft]

CLASSES = ("a", "b", "c", "d")


def draft(shape: tuple[int, ...], model: list[Any] | keras.Model, **changes: Any) -> Draft:
    """Gives a classifier of four classes; a list of layers is in sequence, with a dense layer at the end."""
    if isinstance(model, list):
        model = keras.Sequential([keras.Input(shape), *model, layers.Flatten(), layers.Dense(len(CLASSES), name="logits")])
    parts: dict[str, Any] = {
        "task": "tried",
        "version": "1",
        "model": model,
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ("accuracy",),
        "contract": Contract(name="tried", x_shape=shape, classes=CLASSES),
        "batch": 5,
        "plan": Plan(learning_rate=0.1),
    }
    return Draft(**(parts | changes))


def functional(shape: tuple[int, ...], body: Callable[[Any], Any], dtype: str = "float32", **changes: Any) -> Draft:
    """Gives a classifier with what `body` makes of its input before a dense layer."""
    given = keras.Input(shape, dtype=dtype)
    out = layers.Dense(len(CLASSES), name="logits")(layers.Flatten()(body(given)))
    return draft(shape, keras.Model(given, out), **changes)


def image(rng: Generator, least: int = 7) -> tuple[int, int, int]:
    """Gives the shape of a small image, of any sides."""
    return (*(int(side) for side in rng.integers(least, least + 5, 2)), int(rng.integers(1, 4)))


def size(rng: Generator, most: int = 4) -> tuple[int, int]:
    """Gives the shape of a kernel."""
    return int(rng.integers(1, most)), int(rng.integers(1, most))


def padding(rng: Generator) -> str:
    """Gives one of Keras's ways to pad."""
    return str(rng.choice(["same", "valid"]))


def dense(rng: Generator) -> Draft:
    """With and without a bias, on vectors and along the last axis of something larger."""
    return draft(
        (int(rng.integers(2, 5)), int(rng.integers(2, 6))),
        [layers.Dense(5, use_bias=False), layers.Dense(int(rng.integers(2, 7)), "tanh")],
    )


def conv1d(rng: Generator) -> Draft:
    """Strided, dilated and causal."""
    kernel, channels = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    return draft(
        (int(rng.integers(12, 18)), channels),
        [
            layers.Conv1D(4, kernel, strides=int(rng.integers(1, 3)), padding=padding(rng), activation="relu"),
            layers.Conv1D(3, 2, dilation_rate=2, padding=padding(rng)),
            layers.Conv1D(3, 2, padding="causal", activation="tanh"),
        ],
    )


def conv2d(rng: Generator) -> Draft:
    """Strided, and one by one."""
    return draft(
        image(rng),
        [
            layers.Conv2D(4, size(rng, 5), strides=size(rng), padding=padding(rng), activation="relu"),
            layers.Conv2D(5, 1, activation="tanh"),
            layers.Conv2D(3, 2, padding=padding(rng)),
        ],
    )


def conv2d_dilated(rng: Generator) -> Draft:
    """With holes in the kernel."""
    return draft(
        image(rng, 9),
        [
            layers.Conv2D(3, 3, padding="same", activation="tanh"),
            layers.Conv2D(4, (2, 3), dilation_rate=(int(rng.integers(1, 4)), 2), padding=padding(rng)),
        ],
    )


def conv2d_grouped(rng: Generator) -> Draft:
    """In groups of channels."""
    groups = int(rng.integers(2, 4))
    return draft(
        image(rng),
        [
            layers.Conv2D(2 * groups, 3, padding="same", activation="tanh"),
            layers.Conv2D(3 * groups, size(rng), groups=groups, strides=int(rng.integers(1, 3)), padding=padding(rng)),
        ],
    )


def separable(rng: Generator) -> Draft:
    """Of one and of two dimensions."""
    high, wide, channels = image(rng)
    return draft(
        (high, wide, channels),
        [
            layers.SeparableConv2D(4, 3, padding=padding(rng), depth_multiplier=int(rng.integers(1, 3)), activation="relu"),
            layers.Reshape((-1, 4)),
            layers.SeparableConv1D(3, int(rng.integers(2, 4)), strides=int(rng.integers(1, 3))),
        ],
    )


def depthwise(rng: Generator) -> Draft:
    """Multiplied and strided."""
    stride = int(rng.integers(1, 3))
    return draft(
        image(rng),
        [
            layers.DepthwiseConv2D(
                size(rng, 5), strides=stride, padding=padding(rng), depth_multiplier=int(rng.integers(1, 4))
            ),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, padding="same"),
        ],
    )


def transposed(rng: Generator) -> Draft:
    """Strides up to the kernel and beyond."""
    return draft(
        image(rng, 4),
        [
            layers.Conv2DTranspose(3, size(rng), strides=size(rng), padding=padding(rng), activation="tanh"),
            layers.Conv2DTranspose(2, 3, strides=2, padding=padding(rng)),
        ],
    )


def max_pooling(rng: Generator) -> Draft:
    """Windows that overlap, and elements that are equally large: what is quantised has ties."""
    return functional(
        image(rng),
        lambda x: layers.MaxPooling2D(3, strides=int(rng.integers(1, 4)), padding=padding(rng))(
            layers.ReLU()(layers.Conv2D(4, 2, padding="same")(x))
        ),
    )


def average_pooling(rng: Generator) -> Draft:
    """With windows beyond the border, in one and two dimensions."""
    channels = 3
    return draft(
        image(rng),
        [
            layers.Conv2D(channels, 2, activation="tanh"),
            layers.AveragePooling2D(size(rng), strides=int(rng.integers(1, 3)), padding=padding(rng)),
            layers.Reshape((-1, channels)),
            layers.AveragePooling1D(2, strides=1, padding="same"),
            layers.MaxPooling1D(2),
        ],
    )


def global_pooling(rng: Generator) -> Draft:
    """The mean and the largest of everything."""

    def body(x: Any) -> Any:
        x = layers.Conv2D(4, 2, activation="tanh")(x)
        return layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])

    return functional(image(rng), body)


def batch_normalization(rng: Generator) -> Draft:
    """After a convolution and after a dense layer, with and without scale and shift."""
    return draft(
        image(rng),
        [
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(6, use_bias=False),  # of a bias, which the mean takes away again, there would only be rounding
            layers.BatchNormalization(center=bool(rng.integers(2)), scale=False, momentum=0.9),
        ],
    )


def layer_normalization(rng: Generator) -> Draft:
    """Over the last axis and over several."""
    return draft(
        (int(rng.integers(3, 6)), 5),
        [layers.Dense(6), layers.LayerNormalization(), layers.Dense(4, "tanh"), layers.LayerNormalization(axis=(1, 2))],
    )


def dropout(rng: Generator) -> Draft:
    """Of elements and of whole channels, and noise."""
    return draft(
        image(rng),
        [
            layers.Conv2D(4, 2),
            layers.SpatialDropout2D(0.3),
            layers.Flatten(),
            layers.Dense(8, "tanh"),
            layers.Dropout(float(rng.uniform(0.1, 0.6))),
            layers.Dense(6, "tanh"),
            layers.GaussianNoise(0.1),
        ],
    )


def embedding(rng: Generator) -> Draft:
    """Tokens, some of them several times."""
    steps, words = int(rng.integers(5, 9)), int(rng.integers(4, 9))
    contract = Contract(name="tried", x_shape=(steps,), x_dtype="int32", vocabulary=words, classes=CLASSES)
    return functional((steps,), layers.Embedding(words, 5), "int32", contract=contract)


def recurrent(make: Callable[..., Any], **options: Any) -> Make:
    """One that gives every step below one that gives the last."""

    def made(rng: Generator) -> Draft:
        units = int(rng.integers(3, 7))
        stack = [make(units, return_sequences=True, **options), make(4, go_backwards=bool(rng.integers(2)))]
        return draft((int(rng.integers(4, 7)), 3), stack)

    return made


def bidirectional(rng: Generator) -> Draft:
    """Both ways."""
    return draft((int(rng.integers(3, 6)), 2), [layers.Bidirectional(layers.GRU(int(rng.integers(2, 5))))])


def attention(rng: Generator) -> Draft:
    """Of a sequence to itself, with a residual connection, as in an encoder."""
    width = int(rng.integers(4, 9))

    def body(x: Any) -> Any:
        x = layers.Dense(width)(x)
        seen = layers.MultiHeadAttention(int(rng.integers(1, 4)), key_dim=int(rng.integers(2, 5)))(x, x)
        return layers.LayerNormalization()(layers.Add()([x, seen]))

    return functional((int(rng.integers(3, 7)), 3), body)


def relus(rng: Generator) -> Draft:
    """The whole family."""
    kinds = [
        layers.ReLU(),
        layers.ReLU(6.0),
        layers.ReLU(negative_slope=0.1),
        layers.LeakyReLU(negative_slope=float(rng.uniform(0.05, 0.4))),
        layers.PReLU(),
        layers.ELU(),
        layers.Activation("selu"),
    ]
    stack: list[Any] = []
    for kind in rng.permutation(len(kinds)):
        stack += [layers.Dense(int(rng.integers(5, 9))), kinds[kind]]
    return draft((4,), stack)


def smooth(rng: Generator) -> Draft:
    """Functions without a corner."""
    kinds = ["gelu", "tanh", "sigmoid", "softmax", "swish", "softplus", "softsign", "hard_sigmoid", "exponential", "linear"]
    return draft((4,), [layers.Dense(int(rng.integers(5, 9)), activation=str(kind)) for kind in rng.permutation(kinds)])


def merging(rng: Generator) -> Draft:
    """Sums, products, differences, means, maxima, and concatenation along any axis."""

    def body(x: Any) -> Any:
        one, other = layers.Dense(6, "tanh")(x), layers.Dense(6, "sigmoid")(x)
        merged = [layers.Add()([one, other]), layers.Multiply()([one, other]), layers.Subtract()([one, other])]
        merged += [layers.Average()([one, other]), layers.Maximum()([one, other]), layers.Minimum()([one, other])]
        return layers.Concatenate(axis=int(rng.integers(1, 3)))(merged)

    return functional((int(rng.integers(2, 5)), 4), body)


def shaping(rng: Generator) -> Draft:
    """Flatten, Reshape, Permute, RepeatVector."""
    high, wide = (int(side) for side in rng.integers(2, 5, 2))
    return draft(
        (high, wide, 2),
        [
            layers.Dense(3, "tanh"),
            layers.Permute((2, 1, 3)),
            layers.Reshape((wide, high * 3)),
            layers.Dense(4),
            layers.Flatten(),
            layers.RepeatVector(2),
            layers.Permute((2, 1)),
            layers.Dense(2, "tanh"),
        ],
    )


def padded(rng: Generator) -> Draft:
    """Zeros around, some cut off, rows and columns repeated."""

    def body(x: Any) -> Any:
        x = layers.ZeroPadding2D(((1, int(rng.integers(3))), (0, 2)))(layers.Conv2D(3, 2, activation="tanh")(x))
        x = layers.Cropping2D(((1, 0), (int(rng.integers(2)), 1)))(x)
        x = keras.ops.pad(x, [[0, 0], [1, 2], [2, 0], [0, 0]], mode=str(rng.choice(["reflect", "symmetric"])))
        return layers.Conv2D(2, 2)(layers.UpSampling2D(2)(x))

    return functional(image(rng, 5), body)


def slicing(rng: Generator) -> Draft:
    """As numpy takes parts: with steps, new axes, from behind."""

    def body(x: Any) -> Any:
        x = layers.Dense(6, "tanh")(x)
        first = int(rng.integers(0, 3))
        parts = [x[:, first:, ::2], x[:, -3:, 1:4], x[:, ::2, None, :3][:, :2, 0], keras.ops.take(x, [1, 0, 1], axis=1)]
        return layers.Concatenate()([layers.Flatten()(part) for part in parts])

    return functional((int(rng.integers(5, 8)), 3), body)


def regularised(rng: Generator) -> Draft:
    """Penalties that the model itself adds to the loss."""
    return draft(
        (5,), [layers.Dense(6, "tanh", kernel_regularizer=keras.regularizers.L1L2(0.01, float(rng.uniform(0.01, 0.1))))]
    )


class Doubled(keras.Model):
    """Subclassed, with a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(4, "tanh", name="inner")
        self.outer = layers.Dense(len(CLASSES), name="outer")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives the logits."""
        return self.outer(self.inner(self.inner(x)))


def subclassed(rng: Generator) -> Draft:
    """A model without a graph of its own."""
    model = Doubled()
    model(keras.Input((4,)))
    return draft((4,), model)


ITEMS: dict[str, Make] = {
    "Dense": dense,
    "Conv1D": conv1d,
    "Conv2D": conv2d,
    "Conv2D, dilated": conv2d_dilated,
    "Conv2D, groups": conv2d_grouped,
    "SeparableConv": separable,
    "DepthwiseConv2D": depthwise,
    "Conv2DTranspose": transposed,
    "MaxPooling": max_pooling,
    "AveragePooling": average_pooling,
    "GlobalPooling": global_pooling,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "Dropout": dropout,
    "Embedding": embedding,
    "GRU": recurrent(layers.GRU),
    "GRU, reset before": recurrent(layers.GRU, reset_after=False),
    "LSTM": recurrent(layers.LSTM),
    "SimpleRNN": recurrent(layers.SimpleRNN),
    "Bidirectional": bidirectional,
    "MultiHeadAttention": attention,
    "ReLU family": relus,
    "smooth activations": smooth,
    "merging": merging,
    "shaping": shaping,
    "padding": padded,
    "slicing": slicing,
    "regularisers": regularised,
    "subclassed": subclassed,
}
