"""The tensors of a Keras model by stable names: the layout of a task and its initial weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from folkmoot import arrays
from folkmoot.errors import UserFault
from folkmoot.wire.layout import Layout, Role, Tensor


@dataclass(frozen=True, slots=True)
class Variable:
    """One tensor of the model with its place in the layout."""

    tensor: Tensor
    value: tf.Variable


def variables(model: keras.Model) -> tuple[Variable, ...]:
    """Gives the model's variables sorted by name, as a Layout has them.

    A name is the path of layers without the model's own, such as `hidden.kernel`. What the optimiser trains is `trained`;
    statistics that a layer keeps while training (the moving mean of a batch normalisation) are `averaged`; what belongs to a
    layer with `trainable = False` is `frozen`. Raises UserFault for a variable that cannot travel, or two of one name.
    """
    trained = {id(variable) for variable in model.trainable_variables}
    frozen = {id(variable) for layer in _layers(model) if not layer.trainable for variable in layer.variables}
    found: dict[str, Variable] = {}
    for variable in model.variables:
        name = _name(variable.path, model.name)
        if variable.dtype != "float32":
            raise UserFault(f"{name} is {variable.dtype}; a program keeps float32 only: use layers without other state")
        if name in found:
            raise UserFault(f"two variables are called {name}: give them different names")
        role: Role = "trained" if id(variable) in trained else "frozen" if id(variable) in frozen else "averaged"
        found[name] = Variable(Tensor(name, tuple(variable.shape), role=role), variable.value)
    return tuple(found[name] for name in sorted(found))


def layout(held: tuple[Variable, ...]) -> Layout:
    """Gives the layout that these variables make."""
    return Layout(tuple(variable.tensor for variable in held))


def block(held: tuple[Variable, ...]) -> bytes:
    """Gives the present values as one block, as `folkmoot.arrays` has it."""
    return arrays.pack(layout(held), {variable.tensor.name: variable.value.numpy() for variable in held})


def restore(held: tuple[Variable, ...], weights: bytes) -> None:
    """Sets the values that a block has."""
    values = arrays.unpack(layout(held), weights)
    for variable in held:
        variable.value.assign(values[variable.tensor.name].astype(np.float32))


def _layers(layer: keras.Layer) -> Iterator[keras.Layer]:
    """Gives a layer and, where it is a model, every layer in it."""
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _layers(inner)


def _name(path: str, model: str) -> str:
    head, _, rest = path.partition("/")
    return (rest if head == model else path).replace("/", ".")
