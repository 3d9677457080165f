"""The traffic of a home: what a device sends next is known from what it has sent, unless it is no longer itself."""

import keras

from folkmoot.author.draft import Draft
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

WINDOW = 20  # symbols that the next one is guessed from: the paper's k
SYMBOLS = 64  # of one type of device; a packet that is none of them is unusual without asking a model
PACKETS = Contract(
    name="packets-20",
    x_shape=(WINDOW,),
    x_dtype="int32",
    vocabulary=SYMBOLS,
    classes=tuple(f"s{number}" for number in range(SYMBOLS)),
)


def packets() -> Draft:
    """Gives DIoT's language model of packets, with one layer of 64 units: 25,024 parameters.

    Nguyen, Marchal, Miettinen, Fereidooni, Asokan, Sadeghi, "DIoT: a federated self-learning anomaly detection system for
    IoT", ICDCS 2019: a packet is a symbol of its device's type, and is unusual where the 20 before it leave it too
    small a share. An example is 20 symbols and the one that came next. GRU: Cho et al., 2014.
    """
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((WINDOW,), dtype="int32"),
            layers.Embedding(SYMBOLS, 32, name="symbols"),
            layers.GRU(64, name="memory"),
            layers.Dense(SYMBOLS, activation="softmax", name="shares"),
        ]
    )
    return Draft(
        task="packets",
        version="1",
        title="The next packet of a device, with DIoT's GRU",
        model=model,
        loss="sparse_categorical_crossentropy",
        metrics=("accuracy",),
        optimizer=keras.optimizers.Adam(1e-3),
        contract=PACKETS,
        batch=32,
        plan=Plan(epochs=2, learning_rate=1e-3),
    )
