"""TensorFlow's converter, held to builtin operators, with a sentence for what it cannot convert."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from folkmoot.author import flatbuffer
from folkmoot.author.signatures import Functions, Holder
from folkmoot.errors import UserFault

_FLEX = "Flex"  # what the names of TensorFlow's own operators begin with in a .tflite


def program(functions: Functions, holder: Holder) -> bytes:
    """Gives the .tflite that has `functions` as signatures, its variables without initial values.

    Raises UserFault that names the operators which no stock runtime has, and where in the model they come from.
    """
    with tempfile.TemporaryDirectory(prefix="folkmoot-") as folder:
        with _quiet():
            # Custom gradients cannot be traced again by the saver, and nothing needs them any more.
            options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
            tf.saved_model.save(holder, folder, signatures=functions, options=options)

        def converter() -> tf.lite.TFLiteConverter:
            made = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
            made.experimental_enable_resource_variables = True
            return made

        tflite = convert(converter, functions.values())
    return flatbuffer.without_initial_values(tflite)


def convert(make: Callable[[], tf.lite.TFLiteConverter], functions: Iterable[tf.types.experimental.ConcreteFunction]) -> bytes:
    """Gives the .tflite that a converter makes of `functions`, of builtin operators alone.

    Raises UserFault as `program` does.
    """
    try:
        with _quiet():
            converter = make()
            tflite: bytes = converter.convert()
    except ConverterError as error:
        raise _fault(make, functions, error) from None
    if foreign := [name for name in flatbuffer.operators(tflite) if name.startswith(_FLEX)]:
        raise UserFault(_sentence(foreign, functions))
    return tflite


def _fault(
    make: Callable[[], tf.lite.TFLiteConverter],
    functions: Iterable[tf.types.experimental.ConcreteFunction],
    error: ConverterError,
) -> UserFault:
    """Gives what to say about a conversion that failed: with TensorFlow's operators allowed, the model names them."""
    try:
        with _quiet():
            converter = make()
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
            names = flatbuffer.operators(converter.convert())
    except ConverterError:
        return UserFault(f"TensorFlow cannot convert the model: {str(error).splitlines()[0]}")
    return UserFault(_sentence([name for name in names if name.startswith(_FLEX)], functions))


def _sentence(foreign: list[str], functions: Iterable[tf.types.experimental.ConcreteFunction]) -> str:
    """Gives the operators by their names in TensorFlow, each with the first place in the model that has it."""
    operations = [op for function in functions for op in function.graph.get_operations()]
    found = []
    for kind in (name.removeprefix(_FLEX) for name in foreign):
        place = next((op.name for op in operations if op.type == kind), "")
        found.append(f"{kind} (in {place})" if place else kind)
    one = len(found) == 1
    return (
        f"{', '.join(found)} {'is an operator' if one else 'are operators'} that no stock TFLite runtime has: "
        f"use a layer that does without {'it' if one else 'them'}"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what the converter writes beside its errors, pages of it and from C++, away from the person's screen."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
