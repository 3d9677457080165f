"""TensorFlow's own training, beside which compiled programs stand. `python -m benchmarks.rival SOURCE` says what it takes.

Needs TensorFlow. benchmarks/step.py and benchmarks/footprint.py start what uses it.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import keras
import tensorflow as tf

from folkmoot.author.draft import Draft
from folkmoot.serve import memory, reference

Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

STEPS = 200


def drafted(source: str, batch: int = 0) -> Draft:
    """Gives the draft that MODULE:FUNCTION makes, with the weights that `folkmoot author` gives it. `batch`: 0 for its own."""
    place, _, name = source.partition(":")
    keras.utils.set_random_seed(0)
    draft: Draft = getattr(import_module(place), name)()
    return replace(draft, batch=batch or draft.batch)


def trained(draft: Draft) -> Step:
    """Gives a training step as `keras.Model.fit` takes it: (x, y) to the loss before it. Traced, without XLA."""
    model, loss = draft.model, keras.losses.get(draft.loss)
    given = draft.optimizer or keras.optimizers.SGD()
    assert draft.plan
    optimizer = type(given).from_config({**given.get_config(), "learning_rate": draft.plan.learning_rate})
    variables = model.trainable_variables
    optimizer.build(variables)

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = tf.add_n([tf.reduce_mean(loss(y, model(x, training=True))), *model.losses])
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    return step


def one_thread() -> None:
    """Has TensorFlow use one thread; before it does anything."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def main(source: str) -> None:
    """Trains, and prints the most bytes that were resident."""
    one_thread()
    draft = drafted(source)
    step = trained(draft)
    x, y = (tf.constant(part) for part in reference.batch(draft.contract, draft.batch))
    for _ in range(STEPS):
        step(x, y).numpy()
    print(json.dumps({"peak": memory.peak()}))


if __name__ == "__main__":
    main(sys.argv[1])
