"""What is learnt by, and what is measured: of single examples, since padding must not count.

A person says it as Keras does: by a name, as one of Keras's objects, or as a function.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from inspect import isfunction

import keras
import tensorflow as tf

from folkmoot.errors import UserFault
from folkmoot.wire.bundle import METRIC, Contract

PerExample = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""(y as the contract has it, output of the model), both with the batch in front, to float32 with the batch in front."""
Loss = str | keras.losses.Loss | PerExample
Metrics = tuple[str, ...] | dict[str, PerExample]

CORRECT = "correct"  # 1.0 where the output is right: its mean is the accuracy


def cross_entropy(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Gives -log softmax(logits)[y]. `y`: [B] int32 labels, `logits`: [B, classes] float32; [B]."""
    return -tf.reduce_sum(tf.one_hot(y, logits.shape[-1]) * tf.nn.log_softmax(logits), axis=-1)


def top_class(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Gives 1.0 where the largest logit is that of the label, else 0.0. Shapes as for `cross_entropy`."""
    return tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), y), tf.float32)


def right_side(y: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """Gives the share of elements where output and y are on the same side of 1/2. Both [B, ...]; [B]."""
    return _flat(tf.cast(tf.equal(tf.cast(y, tf.float32) > 0.5, tf.reshape(output, y.shape) > 0.5), tf.float32))


def largest_alike(y: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """Gives 1.0 where y and output are largest at the same place. Both [B, classes] float32; [B]."""
    return tf.cast(tf.equal(tf.argmax(output, axis=-1), tf.argmax(y, axis=-1)), tf.float32)


def loss(given: Loss, contract: Contract) -> PerExample:
    """Gives the loss of each example, [B], as a function of y and output.

    Raises UserFault where Keras does not know the name.
    """
    found = _known(given, keras.losses.get, "loss")
    function = found.call if isinstance(found, keras.losses.Loss) else found

    def each(y: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        return _flat(function(y, _matched(y, output, contract)))

    return each


def metrics(given: Metrics, contract: Contract) -> dict[str, PerExample]:
    """Gives what is measured of each example, [B], by its name in the manifest. `accuracy` is called `correct` there.

    Raises UserFault where Keras does not know a name, or one is no word.
    """
    if isinstance(given, dict):
        named = given
    else:
        named = {name: _accuracy(contract) if name in ("accuracy", "acc") else _metric(name) for name in given}
    found: dict[str, PerExample] = {}
    for name, function in named.items():
        word = CORRECT if name in ("accuracy", "acc") else name
        if not re.match(METRIC, word):
            raise UserFault(
                f"a metric cannot be called {word!r}: give {{name: function}}, 1 to 23 of a-z, 0-9 and _, a letter first"
            )
        found[word] = _each(function, contract)
    return found


def _each(function: PerExample, contract: Contract) -> PerExample:
    return lambda y, output: _flat(tf.cast(function(y, _matched(y, output, contract)), tf.float32))


def _accuracy(contract: Contract) -> PerExample:
    """Gives what accuracy means for such labels."""
    if contract.y_dtype == "int32":
        return top_class
    return largest_alike if contract.y_shape and contract.y_shape[-1] > 1 else right_side


def _metric(name: str) -> PerExample:
    for get in (keras.losses.get, keras.metrics.get):
        with suppress(ValueError):
            found = get(name)
            found = getattr(found, "_fn", found)  # Keras wraps a function of examples into their mean
            if isfunction(found):
                function: PerExample = found
                return function
    raise UserFault(f"there is no metric {name!r}: name a function of keras.metrics, or give {{name: function}}")


def _known(given: Loss, get: Callable[[object], object], what: str) -> object:
    try:
        return get(given) if isinstance(given, str) else given
    except ValueError:
        raise UserFault(f"Keras knows no {what} {given!r}: name one of keras.losses, or give a function (y, output)") from None


def _matched(y: tf.Tensor, output: tf.Tensor, contract: Contract) -> tf.Tensor:
    """Gives the output in the shape of numbers that it is compared with; a model's (B, 1) is a contract's (B)."""
    if contract.y_dtype == "float32" and output.shape.num_elements() == y.shape.num_elements():
        return tf.reshape(output, y.shape)
    return output


def _flat(values: tf.Tensor) -> tf.Tensor:
    """Gives the mean over all but the batch: [B]."""
    return values if len(values.shape) == 1 else tf.reduce_mean(tf.reshape(values, [values.shape[0], -1]), axis=-1)
