"""TensorFlow's converter, held to builtin operators, with a sentence for what it cannot convert."""

import tempfile
from collections.abc import Callable, Iterable

import keras
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from folkmoot.author import flatbuffer, linter
from folkmoot.author.flatbuffer import FLEX
from folkmoot.author.quiet import quiet
from folkmoot.author.signatures import Function, Functions, Holder
from folkmoot.errors import UserFault

Change = Callable[[tf.lite.TFLiteConverter], None]


def program(functions: Functions, holder: Holder, model: keras.Model) -> bytes:
    """Gives the .tflite that has `functions` as signatures, its variables without initial values.

    Raises UserFault that names the operators which no stock runtime has, and where in the model they come from.
    """

    def variables(converter: tf.lite.TFLiteConverter) -> None:
        converter.experimental_enable_resource_variables = True

    return flatbuffer.lean(convert(functions, model, holder, variables))


def convert(functions: Functions, model: keras.Model, holder: tf.Module | None = None, change: Change | None = None) -> bytes:
    """Gives the .tflite that has `functions` as signatures, of builtin operators alone.

    `change` sets the converter. Raises UserFault as `program` does.
    """
    with tempfile.TemporaryDirectory(prefix="folkmoot-") as folder, quiet():
        # Custom gradients cannot be traced again by the saver, and nothing needs them any more.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(holder or tf.Module(), folder, signatures=functions, options=options)

        def make(*also: tf.lite.OpsSet) -> bytes:
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
            if change is not None:
                change(converter)
            converter.target_spec.supported_ops = [*converter.target_spec.supported_ops, *also]
            tflite: bytes = converter.convert()
            return tflite

        try:
            tflite = make()
        except ConverterError as error:
            raise _fault(make, functions, model, error) from None
    if foreign := [name for name in flatbuffer.operators(tflite) if name.startswith(FLEX)]:
        raise UserFault(_sentence(foreign, functions.values(), model))
    return tflite


def _fault(make: Callable[..., bytes], functions: Functions, model: keras.Model, error: ConverterError) -> UserFault:
    """Gives what to say about a conversion that failed: with TensorFlow's operators allowed, the model names them."""
    try:
        names = flatbuffer.operators(make(tf.lite.OpsSet.SELECT_TF_OPS))
    except ConverterError:
        return UserFault(f"TensorFlow cannot convert the model: {str(error).splitlines()[0]}")
    return UserFault(_sentence([name for name in names if name.startswith(FLEX)], functions.values(), model))


def _sentence(foreign: list[str], functions: Iterable[Function], model: keras.Model) -> str:
    """Gives what to say of operators by the names that they have in a .tflite."""
    operations = [op for function in functions for op in function.graph.get_operations()]
    kinds = [name.removeprefix(FLEX) for name in foreign]
    return linter.sentence([(kind, next((op for op in operations if op.type == kind), None)) for kind in kinds], model)
