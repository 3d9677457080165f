"""The tensors of a Keras model by stable names: the layout of a task and its initial weights."""

from collections.abc import Collection
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from folkmoot import arrays
from folkmoot.author import layers
from folkmoot.errors import UserFault
from folkmoot.wire.layout import Layout, Role, Tensor


@dataclass(frozen=True, slots=True)
class Variable:
    """One tensor of the model with its place in the layout."""

    tensor: Tensor
    value: tf.Variable
    trains: bool  # whether the optimiser moves it; a local one may be moved as well


def variables(model: keras.Model, local: Collection[str] = ()) -> tuple[Variable, ...]:
    """Gives the model's variables sorted by name, as a Layout has them.

    A name is the path of layers without the model's own, such as `hidden.kernel`. What the optimiser trains is `trained`;
    statistics that a layer keeps while training (the moving mean of a batch normalisation) are `averaged`; what belongs to a
    layer with `trainable = False` is `frozen`, and to a layer named in `local`, `local`. The states of random generators are
    none of them: a program is seeded step by step. Raises UserFault for a variable that cannot travel, two of one name, or a
    local layer that is not there.
    """
    if missing := set(local) - {layer.name for layer in layers.within(model)}:
        raise UserFault(f"there is no layer {', '.join(sorted(missing))} to keep local")
    roles = _roles(model, local)
    trained = {id(variable) for variable in model.trainable_variables}
    generators = {id(variable) for variable in model.variables if variable.path.endswith("seed_generator_state")}
    found: dict[str, Variable] = {}
    for variable in model.variables:
        if id(variable) in generators:
            continue
        name = _name(variable.path, model.name)
        if variable.dtype != "float32":
            raise UserFault(f"{name} is {variable.dtype}; a program keeps float32 only: use layers without other state")
        if name in found:
            raise UserFault(f"two variables are called {name}: give them different names")
        tensor = Tensor(name, tuple(variable.shape), role=roles[id(variable)])
        found[name] = Variable(tensor, variable.value, id(variable) in trained)
    return tuple(found[name] for name in sorted(found))


def _roles(model: keras.Model, local: Collection[str]) -> dict[int, Role]:
    """Gives the role of each variable, by id."""
    roles: dict[int, Role] = {id(variable): "averaged" for variable in model.variables}
    for layer in layers.within(model):
        if not layer.trainable:
            roles |= {id(variable): "frozen" for variable in layer.variables}
    roles |= {id(variable): "trained" for variable in model.trainable_variables}
    for layer in layers.within(model):
        if layer.name in local:
            roles |= {id(variable): "local" for variable in layer.variables}
    return roles


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


def _name(path: str, model: str) -> str:
    head, _, rest = path.partition("/")
    return (rest if head == model else path).replace("/", ".")
