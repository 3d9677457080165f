"""A model for every loss and optimiser that the compiler covers, in shapes drawn from a seed."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from numpy.random import Generator

from folkmoot.author.draft import Draft
from folkmoot.wire.bundle import Contract
from tests.author.cases import CLASSES, Make, draft

layers = keras.layers


def regression(loss: Any, activation: str = "linear", width: int = 3, **changes: Any) -> Make:
    """A loss of numbers."""

    def made(rng: Generator) -> Draft:
        shape, inner = (int(rng.integers(3, 6)),), int(rng.integers(3, 6))
        model = keras.Sequential([keras.Input(shape), layers.Dense(inner, "tanh"), layers.Dense(width, activation)])
        contract = Contract(name="tried", x_shape=shape, y_shape=(width,), y_dtype="float32")
        return draft(shape, model, loss=loss, metrics=(), contract=contract, **changes)

    return made


def classification(loss: Any, activation: str) -> Make:
    """A loss of labels."""

    def made(rng: Generator) -> Draft:
        shape = (int(rng.integers(3, 6)),)
        return draft(shape, keras.Sequential([keras.Input(shape), layers.Dense(len(CLASSES), activation)]), loss=loss)

    return made


losses = keras.losses
LOSSES: dict[str, Make] = {
    "sparse cross-entropy of logits": classification(losses.SparseCategoricalCrossentropy(from_logits=True), "linear"),
    "sparse cross-entropy of shares": classification("sparse_categorical_crossentropy", "softmax"),
    "dense cross-entropy of logits": regression(losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)),
    "dense cross-entropy of shares": regression("categorical_crossentropy", "softmax"),
    "binary of logits": regression(losses.BinaryCrossentropy(from_logits=True)),
    "binary of odds": regression("binary_crossentropy", "sigmoid", 1),
    "mean squared error": regression("mean_squared_error"),
    "mean absolute error": regression("mae"),
    "Huber": regression(losses.Huber(0.3)),
    "cosine": regression(losses.CosineSimilarity()),
    "log cosh": regression("log_cosh"),
}


class Weights(layers.Layer):
    """Gives its weights, whatever it is given."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Makes the weights."""
        self.w = self.add_weight(shape=(int(shape[-1]),), name="w", initializer="random_normal")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives the weights, once for every example."""
        return 0.0 * x + self.w


def given_gradients(optimizer: Callable[[], keras.optimizers.Optimizer]) -> Make:
    """A model whose gradient is the mean of y: the loss is the product of y with the weights."""

    def made(rng: Generator) -> Draft:
        count = int(rng.integers(5, 30))
        contract = Contract(name="tried", x_shape=(count,), y_shape=(count,), y_dtype="float32")
        model = keras.Sequential([keras.Input((count,)), Weights(name="only")])
        return draft(
            (count,), model, loss=lambda y, out: tf.reduce_sum(y * out, 1), metrics=(), contract=contract, optimizer=optimizer()
        )

    return made


kinds = keras.optimizers
OPTIMIZERS: dict[str, Make] = {
    "SGD": given_gradients(lambda: kinds.SGD(0.1)),
    "SGD with decay": given_gradients(lambda: kinds.SGD(0.1, weight_decay=0.1)),
    "momentum": given_gradients(lambda: kinds.SGD(0.1, momentum=0.9)),
    "Nesterov": given_gradients(lambda: kinds.SGD(0.1, momentum=0.8, nesterov=True)),
    "Adam": given_gradients(lambda: kinds.Adam(0.01)),
    "Adam, settings": given_gradients(lambda: kinds.Adam(0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-4)),
    "AdamW": given_gradients(lambda: kinds.AdamW(0.01, weight_decay=0.05)),
    "clipped by norm": given_gradients(lambda: kinds.SGD(0.1, clipnorm=0.05)),
    "clipped together": given_gradients(lambda: kinds.SGD(0.1, momentum=0.5, global_clipnorm=0.05)),
    "clipped by value": given_gradients(lambda: kinds.Adam(0.01, clipvalue=0.02)),
}
