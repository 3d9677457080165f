"""Models for the compiler's tests: several kinds of layer in each, for a conversion takes seconds."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from folkmoot.author.draft import Draft
from folkmoot.author.losses import cross_entropy, squared_error, top_class
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

layers = keras.layers


def draft(model: list[Any], shape: tuple[int, ...], **changes: Any) -> Draft:
    """Gives a classifier of three classes."""
    parts: dict[str, Any] = {
        "task": "tried",
        "version": "1",
        "model": keras.Sequential([keras.Input(shape), *model]),
        "loss": cross_entropy,
        "correct": top_class,
        "contract": Contract(name="tried", x_shape=shape, classes=("a", "b", "c")),
        "batch": 6,
        "plan": Plan(learning_rate=0.5),
    }
    return Draft(**(parts | changes))


def convolutions() -> Draft:
    """Windows of every kind: strides, overlaps, borders."""
    return draft(
        [
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(3, strides=2, padding="same", name="most"),
            layers.DepthwiseConv2D(3, padding="valid", activation="relu6", name="depth"),
            layers.AveragePooling2D(2, strides=1, padding="same", name="mean"),
            layers.Flatten(name="flat"),
            layers.Dense(3, name="logits"),
        ],
        (20, 16, 2),
    )


def normalised() -> Draft:
    """A batch normalisation that a converter would fold, and a mean over the whole image."""
    return draft(
        [
            layers.Conv2D(4, 3, use_bias=False, name="edges"),
            layers.BatchNormalization(momentum=0.8, name="norm"),
            layers.ReLU(name="cut"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(3, name="logits"),
        ],
        (7, 7, 1),
    )


def saturating() -> Draft:
    """Functions that saturate, a penalty, a frozen layer and a loss of numbers instead of classes."""
    model = [
        layers.Dense(8, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.05), name="squeeze"),
        layers.Dense(8, activation="sigmoid", trainable=False, name="fixed"),
        layers.Dense(6, activation="softmax", name="share"),
        layers.Dense(2, name="numbers"),
    ]
    contract = Contract(name="numbers", x_shape=(5,), y_shape=(2,), y_dtype="float32")
    return draft(model, (5,), loss=squared_error, correct=None, contract=contract)


def quantised() -> Draft:
    """Comes with examples by which int8 inference is scaled."""
    examples = np.random.default_rng(0).random((64, 6, 6, 1)).astype(np.float32)
    model = [
        layers.Conv2D(4, 3, activation="relu", name="edges"),
        layers.Flatten(name="flat"),
        layers.Dense(3, name="logits"),
    ]
    return draft(model, (6, 6, 1), representative=examples)


class Inverse(layers.Layer):
    """Inverts matrices, which no TFLite runtime can."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives x^-1."""
        return tf.linalg.inv(x)


def inverting() -> Draft:
    """Has an operator without a builtin."""
    return draft([Inverse(name="inverse"), layers.Flatten(name="flat"), layers.Dense(3, name="logits")], (3, 3))


def dropping() -> Draft:
    """Has a state that is no float32."""
    return draft([layers.Dropout(0.5, name="drop"), layers.Dense(3, name="logits")], (3,))


def misfit() -> Draft:
    """Has a contract of another shape."""
    return draft([layers.Dense(3)], (3,), contract=Contract(name="tried", x_shape=(4,)))


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
    return draft([Idle(name="spare"), layers.Dense(3, name="logits")], (3,))


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
    return draft([Twice(name="twin"), layers.Dense(3, name="logits")], (3,))


def nothing() -> str:
    """Is no draft."""
    return "nothing"


TRAINABLE: dict[str, Callable[[], Draft]] = {
    "convolutions": convolutions,
    "normalised": normalised,
    "saturating": saturating,
}
