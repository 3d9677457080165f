"""The models that simulated fleets train beside other systems, with batches of the sizes that those have."""

from dataclasses import replace

import keras

from folkmoot.author.draft import Draft
from folkmoot.author.models import digits


def narrow() -> Draft:
    """Gives 64-64-10 with batches of 10."""
    return replace(digits.mlp(), task="narrow", batch=10)


def wide() -> Draft:
    """Gives 64-128-10 with batches of 16: 9,610 parameters."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(name="pixels"),
            layers.Dense(128, activation="relu", kernel_initializer="he_normal", name="hidden"),
            layers.Dense(10, name="logits"),
        ]
    )
    return replace(digits.mlp(), task="wide", model=model, batch=16)
