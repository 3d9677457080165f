"""Small pictures: LeNet for handwriting, and the inverted residual blocks of MobileNetV2."""

from typing import Any

import keras

from folkmoot.author.draft import Draft
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

layers = keras.layers

HANDWRITING = Contract(name="images-28x28x1", x_shape=(28, 28, 1), classes=tuple("0123456789"))
OBJECTS = Contract(
    name="images-32x32x3",
    x_shape=(32, 32, 3),
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)

# Of each stage of residual blocks: expansion, channels, blocks, stride of the first. Those of Sandler et al., 2018, table 2,
# without the last three (96, 160, 320 channels), which have most of the parameters, and with fewer blocks: with a batch of 6, a
# process that trains it stays below 64 MB.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2), (6, 64, 1, 1))
LAST = 128  # channels before the mean, 1,280 there


def lenet() -> Draft:
    """Gives LeNet-5 on 28 x 28 pixels of 0 to 1: 61,706 parameters.

    LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86, 1998, section
    II.B, with what has taken the place of some of its parts since: rectifiers, maxima instead of scaled means, and a softmax.
    """
    model = keras.Sequential(
        [
            keras.Input(HANDWRITING.x_shape),
            layers.Conv2D(6, 5, padding="same", activation="relu", name="c1"),  # the paper's pictures have a border of 2
            layers.MaxPooling2D(2, name="s2"),
            layers.Conv2D(16, 5, activation="relu", name="c3"),
            layers.MaxPooling2D(2, name="s4"),
            layers.Flatten(name="flat"),
            layers.Dense(120, activation="relu", name="c5"),
            layers.Dense(84, activation="relu", name="f6"),
            layers.Dense(10, name="logits"),
        ]
    )
    return Draft(
        task="lenet",
        version="1",
        title="Handwritten digits, 28 x 28, with LeNet-5",
        model=model,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=("accuracy",),
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
        contract=HANDWRITING,
        batch=16,
        plan=Plan(epochs=2, learning_rate=0.05),
    )


def mobilenet() -> Draft:
    """Gives a small MobileNetV2 on 32 x 32 pixels of 0 to 1 in three colours: 74,314 parameters with all statistics.

    Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018: blocks of
    section 3.3 and table 1, stages of table 2.
    """
    given = keras.Input(OBJECTS.x_shape)
    x = layers.Rescaling(2.0, -1.0, name="centred")(given)
    x = _convolved(x, layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem"))
    for stage, (expansion, channels, blocks, stride) in enumerate(STAGES):
        for block in range(blocks):
            x = _inverted_residual(x, f"b{stage}{block}", expansion, channels, 1 if block else stride)
    x = _convolved(x, layers.Conv2D(LAST, 1, use_bias=False, name="last"))
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return Draft(
        task="mobilenet",
        version="1",
        title="Objects, 32 x 32 in colour, with a small MobileNetV2",
        model=keras.Model(given, layers.Dense(10, name="logits")(x)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=("accuracy",),
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
        contract=OBJECTS,
        batch=6,
        plan=Plan(epochs=2, learning_rate=0.05),
    )


def _inverted_residual(x: Any, name: str, expansion: int, channels: int, stride: int) -> Any:
    """Gives the block of the paper's table 1: wider, each channel by itself, narrower, and a way around where shapes allow."""
    before, inner = x, expansion * x.shape[-1]
    if expansion > 1:
        x = _convolved(x, layers.Conv2D(inner, 1, use_bias=False, name=f"{name}-expand"))
    x = _convolved(x, layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"{name}-depth"))
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}-project")(x)
    x = layers.BatchNormalization(name=f"{name}-project-norm")(x)
    return layers.Add(name=f"{name}-add")([before, x]) if x.shape == before.shape else x


def _convolved(x: Any, layer: keras.Layer) -> Any:
    """Gives the layer's output, normalised and cut at 0 and 6."""
    x = layers.BatchNormalization(name=f"{layer.name}-norm")(layer(x))
    return layers.ReLU(6.0, name=f"{layer.name}-cut")(x)
