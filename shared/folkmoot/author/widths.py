"""Width levels: the same Keras model with a part of its hidden channels, as HeteroFL trains it on weak devices.

Diao, Ding, Tarokh, "HeteroFL: Computation and Communication Efficient Federated Learning for Heterogeneous Clients", ICLR 2021:
at the rate r every hidden layer keeps its first ceil(r C) channels; input features and what the model gives are never cut.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from folkmoot import cuts
from folkmoot.author import channels, tensors
from folkmoot.author.channels import Setting, Step
from folkmoot.author.tensors import Variable
from folkmoot.author.units import Axis, Signal, Units, held
from folkmoot.errors import UserFault
from folkmoot.wire.bundle import Cut


def narrow(model: keras.Model, rate: float) -> tuple[keras.Model, dict[str, Cut]]:
    """Gives the model with `rate` of its hidden channels, the full model's weights in them, and what is kept of each tensor.

    Layers and tensors have the names that they have in the full model. Channels that meet what cannot be cut, as those behind a
    residual connection around the first layer, all stay. Where channels come in groups of equal size, whole groups go, or as
    many of each group. Raises UserFault for a rate that is none, and names a layer or a model that cannot be followed.
    """
    if not 0 < rate <= 1:
        raise UserFault(f"a width level has a rate above 0, up to 1, not {rate:g}")
    walk = _Walk()
    for signal in keras.tree.flatten(walk.through(model, _inputs(model))):
        walk.units.hold(*signal.axes)
    maker = _Maker(walk, rate)
    level = maker.model(model)
    _rename(model, level)
    whole, part = tensors.variables(model), tensors.variables(level)
    found = maker.cuts(whole)
    for variable in part:
        name, shape = variable.tensor.name, variable.tensor.shape
        if tuple(sum(stop - start for start, stop in axis) for axis in found.get(name, ())) != shape:
            raise UserFault(f"width levels do not know the channels of {name}: author the task without levels")
    tensors.restore(part, cuts.narrow(tensors.block(whole), tensors.layout(whole), tensors.layout(part), found))
    return level, found


def _inputs(model: keras.Model) -> list[Signal]:
    """Gives the signals that a model takes: nothing of them is cut."""
    _check(model)
    shapes = [tuple(tensor.shape[1:]) for tensor in getattr(model, "inputs", None) or ()]
    if not shapes or any(size is None for shape in shapes for size in shape):
        raise UserFault(f"{model.name} needs an input of a known shape to have width levels: begin with keras.Input")
    return [Signal(tuple(held(size) for size in shape)) for shape in shapes]


def _check(model: keras.Model) -> None:
    """Raises UserFault where a model's own code says what it does, and no graph of layers."""
    if not type(model).call.__module__.startswith("keras.src.models."):
        raise UserFault(f"{model.name} has a call of its own, which width levels cannot follow: use keras.Model(input, output)")


def _rename(model: keras.Model, level: keras.Model) -> None:
    """Gives the variables the paths of the full model's: they say in which scopes layers were made, and a copy has others."""
    for full, narrower in zip(model.variables, level.variables, strict=True):
        ends = [variable.path.split("/")[-2:] for variable in (full, narrower)]
        assert ends[0] == ends[1] or full.name == "seed_generator_state", f"{narrower.path} is no part of {full.path}"
        narrower._path = full.path


class _Walk:
    """Follows channels through a model, and knows afterwards what each layer does with them."""

    def __init__(self) -> None:
        self.units = Units()
        self.inputs: dict[int, Sequence[Signal]] = {}  # by the id of a model, also inside of others
        self.steps: dict[int, Step] = {}  # by the id of a layer or an operation

    def through(self, model: keras.Model, inputs: Any) -> Any:
        """Gives what comes out of a model, Signals in the structure of its outputs."""
        _check(model)
        signals = keras.tree.flatten(inputs)
        for one, other in zip(self.inputs.setdefault(id(model), signals), signals, strict=True):
            self._join(one.axes, other.axes)
        if not isinstance(model, keras.Sequential):
            # What Keras does with the tensors of a call is done with signals here; clone_model goes the same way.
            return model._run_through_graph(inputs, call_fn=self._call)
        (x,) = signals
        for layer in model.layers:
            x = self._call(layer, x)
        return x

    def _call(self, operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, keras.Model):
            return self.through(operation, args[0])
        step = channels.apply(self.units, operation, *args, **kwargs)
        before = self.steps.setdefault(id(operation), step)
        if before is not step:  # it was called before: whatever it is given, it has one set of weights
            for (_, one), (_, other) in zip(before.weights, step.weights, strict=True):
                self._join(one, other)
            self._join(before.settings, step.settings)
        return step.out

    def _join(self, one: Setting, other: Setting) -> None:
        if isinstance(one, Mapping):
            for key, setting in one.items():
                self._join(setting, other[key])
        elif isinstance(one, tuple):
            for axis, same in zip(one, other, strict=True):
                self.units.join(axis, same)
        else:
            self.units.join(one, other)


class _Maker:
    """Makes the layers of a model that was followed as they are at one rate."""

    def __init__(self, walk: _Walk, rate: float) -> None:
        self._walk = walk
        self._rate = rate
        self._made: dict[int, keras.Operation] = {}  # by the id of the full model's: a shared layer stays shared

    def model(self, model: keras.Model) -> keras.Model:
        """Gives a model of narrower layers."""
        signals = iter(self._walk.inputs[id(model)])
        given = model.inputs if isinstance(model, keras.Sequential) else model.input
        inputs = keras.tree.map_structure(lambda full: self._input(full, next(signals)), given)
        return keras.models.clone_model(model, input_tensors=inputs, clone_function=self.layer)

    def layer(self, layer: keras.Operation) -> keras.Operation:
        """Gives a narrower layer; one that has no channels of its own and is not Keras's is the same in every model."""
        if id(layer) not in self._made:
            self._made[id(layer)] = self._make(layer)
        return self._made[id(layer)]

    def cuts(self, whole: Iterable[Variable]) -> dict[str, Cut]:
        """Gives what is kept of each of these variables of the full model, by name."""
        axes = {id(variable.value): axes for step in self._walk.steps.values() for variable, axes in step.weights}
        found = {}
        for variable in whole:
            parts = axes.get(id(variable.value), tuple(held(size) for size in variable.tensor.shape))
            found[variable.tensor.name] = tuple(cuts.runs(self._walk.units.kept(axis, self._rate)) for axis in parts)
        return found

    def _input(self, full: keras.KerasTensor, signal: Signal) -> keras.KerasTensor:
        return keras.Input(tuple(self._count(axis) for axis in signal.axes), dtype=full.dtype, name=full.name)

    def _make(self, layer: keras.Operation) -> keras.Operation:
        if isinstance(layer, keras.Model):
            return self.model(layer)
        if type(layer) not in channels.RULES:
            return layer
        return type(layer).from_config(self._config(layer.get_config(), self._walk.steps[id(layer)].settings))

    def _config(self, config: Mapping[str, Any], settings: Mapping[str, Setting]) -> dict[str, Any]:
        """Gives a layer's configuration with fewer channels."""
        # The full model's values come afterwards; an initialiser that holds a whole matrix would not fit.
        found = {key: "zeros" if key.endswith("_initializer") else value for key, value in config.items()}
        for key, setting in settings.items():
            if isinstance(setting, Mapping):  # a layer inside, as Keras serialises it; to be built anew
                found[key] = {**config[key], "config": self._config(config[key]["config"], setting), "build_config": None}
            elif isinstance(setting, tuple):
                found[key] = tuple(self._count(axis) for axis in setting)
            else:
                found[key] = self._count(setting)
        return found

    def _count(self, axis: Axis) -> int:
        return len(self._walk.units.kept(axis, self._rate))
