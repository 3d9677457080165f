"""What devices hear: spoken keywords, and machines that sound as they should. Both are those of MLPerf Tiny.

Banbury et al., "MLPerf Tiny Benchmark", NeurIPS 2021; files named below are of benchmark/training in
github.com/mlcommons/tiny.
"""

from typing import Any

import keras

from folkmoot.author.draft import Draft
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

layers = keras.layers

# A second of speech: 49 frames of 10 mel-frequency cepstral coefficients.
SPEECH = Contract(
    name="speech-49x10",
    x_shape=(49, 10, 1),
    classes=("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"),
)
# Five frames of 128 mel bands in decibels, which the model gives again.
MACHINES = Contract(name="machines-640", x_shape=(640,), y_shape=(640,), y_dtype="float32")

DECAY = 1e-4  # keyword_spotting/keras_model.py, `weight_decay`


def keywords() -> Draft:
    """Gives MLPerf Tiny's DS-CNN for 12 keywords: 24,908 parameters with the statistics of its batch normalisations.

    keyword_spotting/keras_model.py; Zhang, Suda, Lai, Chandra, "Hello Edge: keyword spotting on microcontrollers", 2017.
    The penalty is on whole convolutions alone: that code asks for it on depthwise ones too, by the name of an argument that the
    Keras of its time took and left unused.
    """
    given = keras.Input(SPEECH.x_shape)
    x = _normalised(given, _convolution((10, 4), "first", strides=2))
    x = layers.Dropout(0.2, name="first-drop")(x)
    for block in range(1, 5):
        x = _normalised(x, layers.DepthwiseConv2D(3, padding="same", name=f"depth{block}"))
        x = _normalised(x, _convolution((1, 1), f"point{block}"))
    x = layers.Dropout(0.4, name="last-drop")(x)
    x = layers.AveragePooling2D((24, 5), name="mean")(x)  # half of each side of the input, rounded down: one row is left out
    x = layers.Flatten(name="flat")(x)
    return Draft(
        task="keywords",
        version="1",
        title="Spoken keywords, with MLPerf Tiny's DS-CNN",
        model=keras.Model(given, layers.Dense(12, activation="softmax", name="shares")(x)),
        loss="sparse_categorical_crossentropy",
        metrics=("accuracy",),
        optimizer=keras.optimizers.Adam(5e-4),  # what that code begins with
        contract=SPEECH,
        batch=12,
        plan=Plan(epochs=2, learning_rate=5e-4),
    )


def machines() -> Draft:
    """Gives MLPerf Tiny's autoencoder of machine sounds: 269,992 parameters with the statistics of its batch normalisations.

    anomaly_detection/keras_model.py, which is the baseline of DCASE 2020, task 2 (Koizumi et al., 2020): a sound is
    unusual where it is far from what the model makes of it.
    """
    given = x = keras.Input(MACHINES.x_shape)
    for number, units in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128)):
        x = _normalised(x, layers.Dense(units, name=f"dense{number}"))
    return Draft(
        task="machines",
        version="1",
        title="Sounds of machines, with MLPerf Tiny's autoencoder",
        model=keras.Model(given, layers.Dense(640, name="again")(x)),
        loss="mean_squared_error",
        metrics=("mae",),
        optimizer=keras.optimizers.Adam(1e-3),
        contract=MACHINES,
        batch=32,
        plan=Plan(epochs=2, learning_rate=1e-3),
    )


def _convolution(size: tuple[int, int], name: str, strides: int = 1) -> keras.Layer:
    penalty = keras.regularizers.L2(DECAY)
    return layers.Conv2D(64, size, strides=strides, padding="same", kernel_regularizer=penalty, name=name)


def _normalised(x: Any, layer: keras.Layer) -> Any:
    """Gives the layer's output, normalised and cut at 0."""
    x = layers.BatchNormalization(name=f"{layer.name}-norm")(layer(x))
    return layers.ReLU(name=f"{layer.name}-cut")(x)
