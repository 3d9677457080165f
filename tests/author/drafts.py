"""Models for the compiler's tests: several kinds of layer in each, for a conversion takes seconds."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from folkmoot.author.draft import Draft
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan
from tests.author.cases import draft

layers = keras.layers


def convolutions() -> Draft:
    """Windows of every kind: strides, overlaps, borders."""
    stack = [
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first"),
        layers.MaxPooling2D(3, strides=2, padding="same", name="most"),
        layers.DepthwiseConv2D(3, padding="valid", activation="relu6", name="depth"),
        layers.AveragePooling2D(2, strides=1, padding="same", name="mean"),
    ]
    return draft((20, 16, 2), stack, plan=Plan(learning_rate=0.5))


def normalised() -> Draft:
    """A batch normalisation that a converter would fold, and a mean over the whole image."""
    stack = [
        layers.Conv2D(4, 3, use_bias=False, name="edges"),
        layers.BatchNormalization(momentum=0.8, name="norm"),
        layers.ReLU(name="cut"),
        layers.GlobalAveragePooling2D(name="mean"),
    ]
    return draft((7, 7, 1), stack, plan=Plan(learning_rate=0.5), features="mean", widths=(1 / 2, 1 / 4))


def saturating() -> Draft:
    """Functions that saturate, a penalty, a frozen layer, a local one, and a loss of numbers instead of classes."""
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(8, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.05), name="squeeze"),
            layers.Dense(8, activation="sigmoid", trainable=False, name="fixed"),
            layers.Dense(6, activation="softmax", name="share"),
            layers.Dense(2, name="numbers"),
        ]
    )
    contract = Contract(name="numbers", x_shape=(5,), y_shape=(2,), y_dtype="float32")
    return draft((5,), model, loss="mse", metrics=("mae",), contract=contract, local=("share",), plan=Plan(learning_rate=0.5))


def remembering() -> Draft:
    """Random numbers in its steps, and an optimiser that remembers them."""
    stack = [layers.Dense(8, activation="gelu", name="hidden"), layers.Dropout(0.4, name="drop")]
    return draft((6,), stack, optimizer=keras.optimizers.Adam(0.01), plan=None)


def quantised() -> Draft:
    """Comes with examples by which int8 inference is scaled."""
    examples = np.random.default_rng(0).random((64, 6, 6, 1)).astype(np.float32)
    return draft((6, 6, 1), [layers.Conv2D(4, 3, activation="relu", name="edges")], representative=examples)


class Inverse(layers.Layer):
    """Inverts matrices, which no TFLite runtime can."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives x^-1."""
        return tf.linalg.inv(x)


def inverting() -> Draft:
    """Has an operator without a builtin."""
    return draft((3, 3), [Inverse(name="inverse")])


class Singular(layers.Layer):
    """Gives singular values, which no TFLite runtime can find."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives the singular values of x."""
        return tf.linalg.svd(x, compute_uv=False)


def decomposing() -> Draft:
    """Has an operator that cannot be had."""
    return draft((3, 3), [layers.Dense(3, name="before"), Singular(name="decompose")])


class Looping(layers.Layer):
    """Loops as often as it is told, in the graph."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives x, doubled three times."""
        return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, 2.0 * x), (tf.constant(0), x))[1]


def looping() -> Draft:
    """Has a loop that is not unrolled."""
    return draft((3,), [Looping(name="loop")])


class Ringing(layers.Layer):
    """Has an operator of which the linter knows nothing: it has to be tried."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives Bessel functions of x."""
        return tf.math.special.bessel_j0(x)


def ringing() -> Draft:
    """Has an operator that stands in no list."""
    return draft((3,), [Ringing(name="bessel")])


def counting() -> Draft:
    """Has a state that is no float32."""
    return draft((3,), [Counting(name="counter")])


class Counting(layers.Layer):
    """Counts its calls."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Makes the count."""
        self.count = self.add_weight(shape=(), dtype="int32", trainable=False, initializer="zeros", name="count")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives x."""
        return x


def misfit() -> Draft:
    """Has a contract of another shape."""
    return draft((3,), [], contract=Contract(name="tried", x_shape=(4,)))


def straying() -> Draft:
    """Has an optimiser that does not run on devices."""
    return draft((3,), [], optimizer=keras.optimizers.Adagrad(0.1))


def stateful() -> Draft:
    """Has a layer that goes on where the last batch ended."""
    model = keras.Sequential([keras.Input(batch_shape=(5, 4, 2)), layers.GRU(3, stateful=True, name="steps"), layers.Dense(4)])
    return draft((4, 2), model)


def twofold() -> Draft:
    """Has two inputs."""
    one, other = keras.Input((3,)), keras.Input((3,))
    return draft((3,), keras.Model([one, other], layers.Dense(4)(layers.Add()([one, other]))))


def forked() -> Draft:
    """Has two outputs."""
    given = keras.Input((3,))
    return draft((3,), keras.Model(given, [layers.Dense(4)(given), layers.Dense(4)(given)]))


class Plain(keras.Model):
    """Subclassed, and not built yet."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = layers.Dense(5, "tanh", name="inner"), layers.Dense(4, name="outer")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives the logits."""
        return self.outer(self.inner(x))


def subclassed() -> Draft:
    """A model without a graph of its own."""
    return draft((3,), Plain())


def unknown_loss() -> Draft:
    """Has a loss of which nobody has heard."""
    return draft((3,), [], loss="mean_sqared_error")


def unknown_metric() -> Draft:
    """Has a metric of which nobody has heard."""
    return draft((3,), [], metrics=("acuracy",))


def wordy() -> Draft:
    """Has a metric whose name does not fit where it has to travel."""
    return draft((3,), [], metrics=("sparse_categorical_crossentropy",))


def featureless() -> Draft:
    """Names a layer for its features that it does not have."""
    return draft((3,), [], features="nowhere")


class Idle(layers.Layer):
    """Has a weight that it does not use."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Makes the weight."""
        self.idle = self.add_weight(shape=(2,), name="idle")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives x."""
        return x


def idling() -> Draft:
    """Has a weight that the loss does not depend on."""
    return draft((3,), [Idle(name="spare")])


class Twice(layers.Layer):
    """Has two weights of one name."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Makes the weights."""
        self.one = self.add_weight(shape=(), name="scale")
        self.other = self.add_weight(shape=(), name="scale")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives x scaled by both."""
        return x * self.one * self.other


def twins() -> Draft:
    """Has two weights of one name, which Keras allows."""
    return draft((3,), [Twice(name="twin")])


def nothing() -> str:
    """Is no draft."""
    return "nothing"


TRAINABLE: dict[str, Callable[[], Draft]] = {
    "convolutions": convolutions,
    "normalised": normalised,
    "saturating": saturating,
    "remembering": remembering,
    "subclassed": subclassed,
}
