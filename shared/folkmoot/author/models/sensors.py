"""Series of measurements: what comes next, and, with a transformer, what somebody who carries the sensors is doing."""

from typing import Any

import keras

from folkmoot.author.draft import Draft
from folkmoot.author.models.har import WINDOWS
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

layers = keras.layers

# A day of hours, each with seven measurements around 0; then the next hour.
HOURS = Contract(name="hours-24x7", x_shape=(24, 7), y_shape=(7,), y_dtype="float32")

# Brings every channel of the motion to a deviation of about 1 around 0 (folkmoot.author.models.har says what they are).
EVEN = {"scale": [5.0] * 3 + [2.0] * 6, "offset": [0.0] * 6 + [-1.6, 0.0, 0.0]}
PATCH = 4  # measurements that make one token
WIDTH, HEADS, BLOCKS = 32, 4, 2


def hours() -> Draft:
    """Gives a forecaster of the next hour with 32 LSTM units: 5,351 parameters.

    Hochreiter and Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers et al., 2000; of the size that
    TensorFlow's tutorial "Time series forecasting", section "Recurrent neural network", has for a day of hours.
    """
    model = keras.Sequential(
        [keras.Input(HOURS.x_shape), layers.LSTM(32, name="memory"), layers.Dense(HOURS.y_shape[0], name="next")]
    )
    return Draft(
        task="hours",
        version="1",
        title="The next hour of seven measurements, with an LSTM",
        model=model,
        loss="mean_squared_error",
        metrics=("mae",),
        optimizer=keras.optimizers.Adam(1e-3),
        contract=HOURS,
        batch=32,
        plan=Plan(epochs=2, learning_rate=1e-3),
    )


class Positions(layers.Layer):
    """Adds to each token what is learnt of its place."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Makes the weights; `shape`: [batch, tokens, width]."""
        self.places = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02), name="places")

    def call(self, x: Any) -> Any:
        """Gives x with its places."""
        return x + self.places


def motion() -> Draft:
    """Gives a transformer encoder of two blocks that tells six activities: 19,558 parameters.

    Vaswani et al., "Attention is all you need", NeurIPS 2017, sections 3.1 to 3.3, as Dosovitskiy et al., "An image is worth
    16x16 words", ICLR 2021, section 3.1, build it: patches of the series are tokens, places are learnt, normalisation comes
    first. It learns from the same examples as the convolutional network of `har`.
    """
    given = keras.Input(WINDOWS.x_shape)
    x = layers.Rescaling(**EVEN, name="even")(given)
    x = layers.Conv1D(WIDTH, PATCH, strides=PATCH, name="tokens")(x)
    x = Positions(name="positions")(x)
    for number in range(BLOCKS):
        x = _block(x, f"b{number}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    return Draft(
        task="motion",
        version="1",
        title="Activities by the motion of a phone, with a transformer",
        model=keras.Model(given, layers.Dense(len(WINDOWS.classes), name="logits")(x)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=("accuracy",),
        optimizer=keras.optimizers.AdamW(1e-3, weight_decay=1e-4),
        contract=WINDOWS,
        batch=16,
        plan=Plan(epochs=2, learning_rate=1e-3),
    )


def _block(x: Any, name: str) -> Any:
    """Gives a block of the encoder on [batch, tokens, width]: attention, then a perceptron, each with a way around it."""
    seen = layers.LayerNormalization(epsilon=1e-6, name=f"{name}-norm1")(x)
    seen = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, dropout=0.1, name=f"{name}-attention")(seen, seen)
    x = layers.Add(name=f"{name}-add1")([x, seen])
    thought = layers.LayerNormalization(epsilon=1e-6, name=f"{name}-norm2")(x)
    thought = layers.Dense(2 * WIDTH, activation="gelu", name=f"{name}-wide")(thought)
    thought = layers.Dropout(0.1, name=f"{name}-drop")(layers.Dense(WIDTH, name=f"{name}-narrow")(thought))
    return layers.Add(name=f"{name}-add2")([x, thought])
