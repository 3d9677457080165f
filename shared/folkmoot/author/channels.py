"""What each kind of layer does with channels, so that it can be made with fewer: the seam of the folder `rules`.

A rule is a function of (units, layer, *arguments), the arguments being those of the layer's call with a Signal in the place of
every tensor. It says which axes of each weight are which channels, which numbers of the layer's configuration count them, and
what comes out. Layers go by their exact type: what a subclass does with a channel, nobody here knows.

A file in the folder `rules` is its own registration.
"""

import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import keras

from folkmoot.author import rules
from folkmoot.author.units import Axis, Signal, Units, held
from folkmoot.errors import UserFault

Setting = Axis | tuple[Axis, ...] | Mapping[str, Any]
"""What a layer's configuration has: a number of channels, a shape, or the configuration of a layer inside."""
Weight = tuple[keras.Variable, tuple[Axis, ...]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one layer does."""

    out: Signal | Sequence[Signal]
    weights: Sequence[Weight] = ()  # those that are not here are never cut
    settings: Mapping[str, Setting] = field(default_factory=dict)  # key of the configuration to what it counts


Rule = Callable[..., Step]

RULES: dict[type, Rule] = {}
OPERATIONS: dict[str, Rule] = {}
"""Rules of what keras.ops leaves in a functional model, by names of classes, which are not public: a + b is an Add."""


def rule_for(*kinds: type | str) -> Callable[[Rule], Rule]:
    """Registers the rule of layers, by type, and of operations, by name."""

    def register(rule: Rule) -> Rule:
        for kind in kinds:
            if isinstance(kind, str):
                OPERATIONS[kind] = rule
            else:
                RULES[kind] = rule
        return rule

    return register


def apply(units: Units, operation: keras.Operation, *args: Any, **kwargs: Any) -> Step:
    """Gives what a layer, or an operation in a functional model, does when it is called with these arguments.

    Raises UserFault where no rule says so.
    """
    rule = RULES.get(type(operation))
    if type(operation).__module__.startswith("keras.src.ops."):
        rule = OPERATIONS.get(type(operation).__name__)
    if rule is None or getattr(operation, "data_format", None) == "channels_first":
        return _beside(units, operation, (args, kwargs))
    given = {name: value for name, value in kwargs.items() if name not in ("training", "mask") and value is not None}
    try:
        inspect.signature(rule).bind(units, operation, *args, **given)
    except TypeError:
        raise lost(operation) from None
    return rule(units, operation, *args, **given)


def lost(operation: keras.Operation) -> UserFault:
    """Gives the fault of a layer behind which channels cannot be told apart."""
    return UserFault(
        f"width levels cannot follow the channels through {operation.name} ({type(operation).__name__}): use other layers of "
        "Keras in its place, with the channels last, or author the task without levels"
    )


def weights(owner: keras.Layer, **axes: tuple[Axis, ...]) -> list[Weight]:
    """Gives the owner's variables of these names with their axes. A bias that it does not use is no variable."""
    found = [(getattr(owner, name, None), parts) for name, parts in axes.items()]
    return [(variable, parts) for variable, parts in found if isinstance(variable, keras.Variable)]


def whole(sizes: Sequence[int]) -> tuple[Axis, ...]:
    """Gives axes that are never cut."""
    return tuple(held(size) for size in sizes)


def index(x: Signal, number: int) -> int:
    """Gives where an axis stands by Keras's number of it, for which the batch is 0; -1 is the batch."""
    return number % (len(x.axes) + 1) - 1


def numbered(x: Signal, numbers: int | Sequence[int]) -> tuple[Axis, ...]:
    """Gives axes by Keras's numbers."""
    return tuple(x.axes[index(x, number)] for number in ([numbers] if isinstance(numbers, int) else numbers))


def moved(units: Units, layer: keras.Layer, x: Signal, last: Axis) -> Signal:
    """Gives what comes out of a layer that works along every axis but the last, which becomes `last`."""
    units.hold(*x.axes[:-1])
    return Signal((*whole(layer.compute_output_shape((1, *x.shape))[1:-1]), last))


def _beside(units: Units, operation: keras.Operation, arguments: Any) -> Step:
    """Gives the step of anything that stands where there is nothing to cut, as what prepares the model's input does."""
    signals = [part for part in keras.tree.flatten(arguments) if isinstance(part, Signal)]
    if getattr(operation, "variables", ()) or any(units.free(axis) for signal in signals for axis in signal.axes):
        raise lost(operation)
    return Step(out=keras.tree.map_structure(lambda made: Signal(whole(made.shape[1:])), operation.output))


for _module in pkgutil.iter_modules(rules.__path__):
    import_module(f"{rules.__name__}.{_module.name}")
