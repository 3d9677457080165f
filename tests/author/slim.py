"""Models of every family of layers, with what a half of each looks like."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

layers = keras.layers

Shape = tuple[int, ...]
Tensor = keras.KerasTensor


@dataclass(frozen=True)
class Case:
    """A model, and what a half of it looks like."""

    make: Callable[[], keras.Model]
    half: dict[str, Shape]  # some of its tensors
    whole: bool = False  # whether a layer looks across channels, so that zeros are not the same as nothing
    kept: dict[str, Any] = field(default_factory=dict)  # the last axis of some tensors' cuts


CASES: dict[str, Case] = {}


def case(
    half: dict[str, Shape], shape: Shape, dtype: str = "float32", **more: Any
) -> Callable[[Callable[[Tensor], Any]], Callable[[Tensor], Any]]:
    """Registers a model of examples of this shape by the function that gives its output, or the whole model."""

    def register(body: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def make() -> keras.Model:
            found = body(x := keras.Input(shape, dtype=dtype))
            return found if isinstance(found, keras.Model) else keras.Model(x, found)

        CASES[body.__name__] = Case(make, half, **more)
        return body

    return register


@case({"one.kernel": (5, 7), "two.kernel": (7, 4), "two.bias": (4,), "out.kernel": (4, 3), "out.bias": (3,)}, (5,))
def dense(x: Tensor) -> keras.Model:
    one = layers.Dense(13, activation="relu", name="one")
    return keras.Sequential(
        [keras.Input((5,)), one, layers.Dense(8, activation="sigmoid", name="two"), layers.Dense(3, name="out")]
    )


@case(
    {"one.kernel": (3, 3, 2, 16), "two.kernel": (3, 3, 16, 4), "out.kernel": (36, 3)},
    (10, 10, 2),
    kept={"out.bias": ((0, 3),)},
)
def flat(x: Tensor) -> Tensor:
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="one")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(8, 3, activation="tanh", name="two")(x)
    return layers.Dense(3, name="out")(layers.Flatten()(x))


@case({"one.kernel": (3, 4, 8), "two.kernel": (3, 8, 8), "out.kernel": (8, 2)}, (12, 4))
def sequence(x: Tensor) -> Tensor:
    x = layers.ZeroPadding1D(1)(layers.Conv1D(16, 3, strides=2, activation="relu", name="one")(x))
    x = layers.Cropping1D(1)(layers.UpSampling1D(2)(layers.AveragePooling1D(2)(x)))
    x = layers.LeakyReLU()(layers.Conv1D(16, 3, padding="causal", name="two")(x))
    return layers.Dense(2, name="out")(layers.GlobalMaxPooling1D()(x))


@case(
    {"one.depthwise_kernel": (3, 3, 3, 2), "one.pointwise_kernel": (1, 1, 6, 4), "two.pointwise_kernel": (1, 1, 8, 6)},
    (6, 6, 3),
)
def separable(x: Tensor) -> Tensor:
    x = layers.SeparableConv2D(8, 3, depth_multiplier=2, activation="relu", name="one")(x)
    x = layers.SeparableConv2D(12, 3, depth_multiplier=2, name="two")(x)
    x = layers.Reshape((4, 12))(x)
    x = layers.SeparableConv1D(8, 3, padding="same", name="three")(x)
    return layers.Dense(2, name="out")(layers.GlobalAveragePooling1D()(x))


@case(
    {"many.kernel": (3, 3, 1, 4), "many.bias": (4,), "own.kernel": (3, 3, 4, 2), "own.bias": (8,), "out.kernel": (8, 2)},
    (7, 7, 1),
    kept={"own.bias": ((0, 8),)},
)
def depthwise(x: Tensor) -> Tensor:
    x = layers.DepthwiseConv2D(3, depth_multiplier=8, activation="relu", name="many")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="own")(x)
    return layers.Dense(2, name="out")(layers.GlobalAveragePooling2D()(x))


@case({"out.kernel": (3, 3), "own.kernel": (3, 6, 1)}, (9, 6))
def depthwise_of_the_input(x: Tensor) -> Tensor:
    x = layers.DepthwiseConv1D(3, name="own")(x)
    return layers.Dense(3, name="out")(layers.Dense(6)(layers.GlobalAveragePooling1D()(x)))


@case(
    {"two.kernel": (3, 3, 2, 16), "four.kernel": (3, 3, 4, 8), "each.kernel": (3, 3, 1, 16)},
    (8, 8, 3),
    kept={"one.bias": ((0, 8),), "two.bias": ((0, 16),), "three.bias": ((0, 4), (8, 12)), "four.bias": ((0, 4), (8, 12))},
)
def grouped(x: Tensor) -> Tensor:
    x = layers.Conv2D(16, 3, activation="relu", name="one")(x)
    x = layers.Conv2D(32, 3, groups=8, activation="relu", name="two")(x)  # whole groups go
    x = layers.Conv2D(16, 1, activation="relu", name="three")(x)
    x = layers.Conv2D(16, 3, groups=2, activation="relu", name="four")(x)  # channels of each group go
    x = layers.Conv2D(32, 3, groups=16, padding="same", name="each")(layers.Conv2D(16, 1)(x))
    return layers.Dense(2)(layers.GlobalAveragePooling2D()(x))


@case(
    {"own.kernel": (3, 3, 1, 16), "out.kernel": (16, 2)},
    (6, 6, 4),
    kept={"own.bias": tuple((i, i + 4) for i in range(0, 32, 8))},
)
def grouped_input(x: Tensor) -> Tensor:
    x = layers.Conv2D(32, 3, groups=4, activation="relu", name="own")(x)
    return layers.Dense(2, name="out")(layers.GlobalMaxPooling2D()(x))


@case(
    {"code.kernel": (6, 8), "wide.kernel": (8, 72), "wide.bias": (72,), "up.kernel": (3, 3, 4, 8), "out.kernel": (3, 3, 4, 1)},
    (6,),
    kept={"wide.bias": tuple((16 * i, 16 * i + 8) for i in range(9))},
)
def decoder(x: Tensor) -> Tensor:
    x = layers.Dense(16, activation="relu", name="code")(x)
    x = layers.Reshape((3, 3, 16))(layers.Dense(144, activation="relu", name="wide")(x))
    x = layers.Conv2DTranspose(8, 3, strides=2, activation="relu", name="up")(x)
    return layers.Conv2D(1, 3, name="out")(layers.UpSampling2D()(x))


@case({"norm.gamma": (4,), "norm.moving_mean": (4,), "slope.alpha": (1, 1, 4), "lines.alpha": (5, 1, 3)}, (7, 7, 2))
def normalised(x: Tensor) -> Tensor:
    x = layers.Conv2D(8, 3, use_bias=False)(x)
    x = layers.PReLU(shared_axes=[1, 2], name="slope")(layers.BatchNormalization(name="norm")(x))
    x = layers.PReLU(shared_axes=[2], name="lines")(layers.Conv2D(6, 1)(x))
    return layers.Dense(3)(layers.Flatten()(x))


@case({"whole.gamma": (8,), "within.gamma": (8,), "instance.gamma": (8,), "rms.scale": (8,)}, (4, 4, 2), whole=True)
def across(x: Tensor) -> Tensor:
    x = layers.GroupNormalization(8, name="whole")(layers.Conv2D(16, 1)(x))
    x = layers.GroupNormalization(2, name="within")(layers.Conv2D(16, 1)(x))
    x = layers.GroupNormalization(-1, name="instance")(layers.Conv2D(16, 1)(x))
    x = layers.RMSNormalization(name="rms")(layers.Conv2D(16, 1)(x))
    return layers.Dense(2)(layers.GlobalAveragePooling2D()(x))


@case(
    {"words.embeddings": (30, 5), "simple.simple_rnn_cell.kernel": (5, 4), "last.kernel": (4, 7), "last.bias": (7,)},
    (6,),
    dtype="int32",
)
def recurrent(x: Tensor) -> Tensor:
    x = layers.Embedding(30, 10, name="words")(x)
    x = layers.SimpleRNN(8, return_sequences=True, name="simple")(x)
    return layers.Dense(3, name="out")(layers.Dense(7 * 2, name="last")(layers.SimpleRNN(8)(x)))


@case(
    {"one.lstm_cell.kernel": (4, 12), "two.gru_cell.bias": (2, 12), "three.gru_cell.bias": (6,), "out.kernel": (2, 2)},
    (5, 4),
    kept={"one.lstm_cell.bias": ((0, 3), (5, 8), (10, 13), (15, 18))},
)
def gates(x: Tensor) -> Tensor:
    x, hidden, _ = layers.LSTM(5, return_sequences=True, return_state=True, name="one")(x)
    x = layers.GRU(8, return_sequences=True, name="two")(x, initial_state=layers.Dense(8, name="start")(hidden))
    return layers.Dense(2, name="out")(layers.GRU(4, reset_after=False, name="three")(x))


@case(
    {"both.forward_lstm.lstm_cell.kernel": (4, 12), "summed.backward_gru.gru_cell.kernel": (6, 9), "out.kernel": (9, 2)},
    (5, 4),
    kept={"both.forward_lstm.lstm_cell.bias": ((0, 3), (6, 9), (12, 15), (18, 21))},
)
def bidirectional(x: Tensor) -> Tensor:
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True, name="lstm"), name="both")(x)
    y = layers.Bidirectional(layers.GRU(6, name="gru"), merge_mode="sum", name="summed")(x)
    return layers.Dense(2, name="out")(layers.Concatenate()([y, layers.GlobalAveragePooling1D()(x)]))


@case({"each.conv1d.kernel": (3, 2, 4), "out.kernel": (20, 2)}, (5, 6, 2))
def distributed(x: Tensor) -> Tensor:
    x = layers.TimeDistributed(layers.Conv1D(8, 3, activation="relu", name="conv1d"), name="each")(x)
    return layers.Dense(2, name="out")(layers.Flatten()(layers.TimeDistributed(layers.GlobalMaxPooling1D())(x)))


@case(
    {"first.kernel": (3, 3, 3, 4), "wide.kernel": (1, 1, 4, 24), "own.kernel": (3, 3, 24, 1), "thin.kernel": (1, 1, 24, 4)},
    (8, 8, 3),
)
def mobile(x: Tensor) -> Tensor:
    """As MobileNetV2: expand, filter, project, add; with a squeeze and excitation."""
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="first")(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(48, 1, use_bias=False, name="wide")(x)))
    y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", name="own")(y)))
    gate = layers.Dense(12, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(y))
    y = layers.Multiply()([y, layers.Dense(48, activation="sigmoid")(gate)])
    x = layers.Add()([x, layers.BatchNormalization()(layers.Conv2D(8, 1, name="thin")(y))])
    return layers.Dense(3)(layers.GlobalAveragePooling2D()(x))


@case({"one.kernel": (6, 4), "two.kernel": (4, 6), "three.kernel": (6, 6), "four.kernel": (6, 4)}, (6,))
def beside_the_input(x: Tensor) -> Tensor:
    x = x + layers.Dense(6, name="two")(layers.Dense(8, activation="relu", name="one")(x))
    x = layers.Subtract()([x, layers.Dense(6, name="three")(x)])
    return layers.Dense(2)(layers.Dense(8, activation="relu", name="four")(x))


@case({"one.kernel": (5, 4), "two.kernel": (9, 5), "out.kernel": (12, 2)}, (5,), kept={"two.bias": ((0, 5),)})
def thick(x: Tensor) -> Tensor:
    y = layers.Concatenate()([x, layers.Dense(8, activation="relu", name="one")(x)])
    y = layers.Concatenate()([layers.Dense(10, activation="relu", name="two")(y), layers.Dense(6)(x), layers.Dense(7)(x)])
    return layers.Dense(2, name="out")(y)


@case({"one.kernel": (5, 2), "two.kernel": (5, 2), "long.kernel": (5, 4)}, (5,), kept={"long.bias": ((0, 2), (4, 6))})
def joined_lengths(x: Tensor) -> Tensor:
    y = layers.Concatenate()([layers.Dense(4, name="one")(x), layers.Dense(4, name="two")(x)])
    return layers.Dense(2)(layers.Maximum()([y, layers.Dense(8, name="long")(x)]))


def encoder(x: Tensor, norm: Callable[[str], Callable[[Tensor], Tensor]]) -> Tensor:
    """Gives what a transformer's encoder block makes of a sequence, and a layer of its first place."""
    x = layers.Dense(8, name="embed")(x)
    y = norm("before")(x)
    x = layers.Add()([x, layers.Dropout(0.1)(layers.MultiHeadAttention(2, 4, value_dim=6, name="heads")(y, y))])
    y = layers.Dense(32, activation="gelu", name="wide")(norm("between")(x))
    x = layers.Add()([x, layers.Dense(8, name="thin")(y)])
    return layers.Dense(3, name="out")(norm("after")(x)[:, 0])


ENCODER: dict[str, Shape] = {
    "heads.query.kernel": (4, 2, 2),
    "heads.value.bias": (2, 3),
    "heads.attention_output.kernel": (2, 3, 4),
    "wide.kernel": (4, 16),
    "out.kernel": (4, 3),
}


@case(ENCODER | {"before.gamma": (4,), "after.beta": (4,)}, (6, 3), whole=True)
def transformer(x: Tensor) -> Tensor:
    return encoder(x, lambda name: layers.LayerNormalization(name=name))


@case(ENCODER, (6, 3))
def heads(x: Tensor) -> Tensor:
    return encoder(x, lambda name: layers.Identity(name=name))


@case({"query.kernel": (3, 4), "key.kernel": (3, 4), "value.kernel": (3, 2), "add.scale": (4,), "out.kernel": (4, 2)}, (6, 3))
def attention(x: Tensor) -> Tensor:
    query, key, value = (layers.Dense(size, name=name)(x) for name, size in (("query", 8), ("key", 8), ("value", 4)))
    y = layers.Attention()([query, value, key])
    z = layers.AdditiveAttention(name="add")([query, value, key])
    scores = layers.Softmax(axis=1)(layers.Dense(1, name="score")(layers.Concatenate()([y, z])))
    pooled = layers.Dot(axes=1)([scores, layers.Concatenate()([y, z])])
    return layers.Dense(2, name="out")(layers.Flatten()(pooled))


@case({"one.kernel": (3, 4), "two.kernel": (8, 6), "out.kernel": (6, 2)}, (6, 3))
def operations(x: Tensor) -> Tensor:
    """Has what keras.ops leaves in a model."""
    x = keras.ops.relu(layers.Dense(8, name="one")(x)) * 0.5
    seen = keras.ops.pad(x[:, 1:4, None, ...][:, ::2, 0], [[0, 0], [1, 0], [0, 0]])
    y = keras.ops.concatenate([keras.ops.mean(x, axis=1), keras.ops.max(seen, axis=1)], axis=-1)
    y = layers.Dense(12, name="two")(y)
    return layers.Dense(2, name="out")(y - keras.ops.tanh(y) / np.array([2.0], np.float32))


@case({"one.kernel": (3, 8), "two.kernel": (4, 3), "out.kernel": (12, 2)}, (6, 3))
def some_channels(x: Tensor) -> Tensor:
    x = layers.Dense(8, activation="relu", name="one")(x)
    y = layers.Dense(6, name="two")(x[..., ::2])
    return layers.Dense(2, name="out")(layers.Flatten()(y[:, :4]))


@case({"mix.kernel": (6, 3), "back.kernel": (3, 6), "out.kernel": (24, 2)}, (6, 3))
def mixer(x: Tensor) -> Tensor:
    """Cuts along the sequence and along the channels."""
    x = layers.Dense(8, name="embed")(x)
    y = layers.Dense(6, name="mix")(layers.Permute((2, 1))(x))
    y = layers.Dense(6, name="back")(layers.Activation("relu")(y))
    return layers.Dense(2, name="out")(layers.Flatten()(layers.Average()([x, layers.Permute((2, 1))(y)])))


@case({"inner.one.kernel": (4, 6), "inner.two.kernel": (6, 4), "thin.kernel": (5, 4)}, (5,))
def nested(x: Tensor) -> Tensor:
    """Has a model inside, which is used twice."""
    inner = keras.Sequential([layers.Dense(12, activation="relu", name="one"), layers.Dense(8, name="two")], name="inner")
    z = keras.Input((8,))
    outer = keras.Model(z, layers.Add()([z, inner(z)]), name="outer")
    return layers.Dense(2)(outer(outer(layers.Dense(8, name="thin")(x))))


@case({"one.kernel": (2, 4), "out.kernel": (24, 2)}, (4,))
def repeated(x: Tensor) -> Tensor:
    x = layers.RepeatVector(6)(layers.Rescaling(0.5)(layers.Dense(8, activation="selu", name="one")(layers.Dense(4)(x))))
    return layers.Dense(2, name="out")(layers.Flatten()(x))
