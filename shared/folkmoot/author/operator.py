"""How an operator of TensorFlow is said in operators that every stock TFLite runtime has: the seam of the folder `operators`.

Two things can stand in the way of an operator on a device. Its gradient may emit operators without a TFLite builtin (ReluGrad,
Conv2DBackpropFilter, MaxPoolGrad, ...), which only a runtime with the Flex delegate, that is with TensorFlow inside, can run:
`gradient_of` registers one in builtins, under a name that `tf.Graph.gradient_override_map` puts in the place of TensorFlow's;
`tf.gradients` honours that map, a GradientTape does not. Or the operator itself has no builtin, or a slow one: `stand_in`
registers a function that says the same otherwise, and is called when a model that is being traced makes such an operator.

A file in the folder `operators` is its own registration. An operator that stands in none of them is left to the converter.
"""

import pkgutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import tensorflow as tf

from folkmoot.author import operators


@dataclass(frozen=True, slots=True)
class Call:
    """An operator that a model is about to make."""

    kind: str  # the type of the operator, such as Conv2D
    name: str  # that it would have; the scopes in it are the layers
    inputs: tuple[tf.Tensor, ...]
    attributes: Mapping[str, Any]  # of tf.compat.v1.AttrValue
    number: int  # of such operators before it in its function: tells random ones apart
    seed: tf.Tensor | None  # of the step, scalar int32; None outside training

    @property
    def training(self) -> bool:
        """Whether there will be gradients."""
        return self.seed is not None


Gradient = TypeVar("Gradient", bound=Callable[..., object])
StandIn = Callable[[Call], Sequence[tf.Tensor] | None]
"""Gives what the operator would give, or None where it may stay as it is."""

GRADIENTS: dict[str, str] = {}
"""Type of operator to the name under which its gradient is registered."""
STAND_INS: dict[str, StandIn] = {}


def gradient_of(kind: str) -> Callable[[Gradient], Gradient]:
    """Registers a function (operator, gradients of the loss by its outputs) -> gradients by its inputs."""
    GRADIENTS[kind] = f"Folkmoot{kind}"
    return tf.RegisterGradient(GRADIENTS[kind])


def stand_in(*kinds: str) -> Callable[[StandIn], StandIn]:
    """Registers what stands in for operators of these types."""

    def register(function: StandIn) -> StandIn:
        STAND_INS.update(dict.fromkeys(kinds, function))
        return function

    return register


@contextmanager
def translated(
    *, seed: tf.Tensor | None = None, gradients: bool = False, kinds: Collection[str] = STAND_INS.keys()
) -> Iterator[None]:
    """While it lasts, operators that are made in the present graph have our stand-ins and, with `gradients`, our gradients.

    `kinds`: types to stand in for; others stay as they are.
    """
    graph = tf.compat.v1.get_default_graph()
    create = graph._create_op_internal  # where every operator of a graph is made; there is no public place
    counts: Counter[str] = Counter()

    def intercept(kind: str, inputs: Sequence[tf.Tensor], *args: Any, **rest: Any) -> tf.Operation:
        if kind in STAND_INS and kind in kinds:
            name = rest.get("name") or kind
            call = Call(kind, name, tuple(inputs), rest.get("attrs") or {}, counts[kind], seed)
            counts[kind] += 1
            with tf.name_scope(name if name.endswith("/") else f"{name}/"):
                found = STAND_INS[kind](call)
                if found is not None:
                    return _operation(found)
        return create(kind, inputs, *args, **rest)

    graph._create_op_internal = intercept
    try:
        with graph.gradient_override_map(GRADIENTS if gradients else {}):
            yield
    finally:
        del graph._create_op_internal


def late(value: tf.Tensor | float, dy: tf.Tensor) -> tf.Tensor:
    """Gives `value`, but not before `dy` is there: a factor that is 1 depends on it.

    A runtime with a delegate runs whatever it can as soon as it can. What a gradient makes of its operator's input would be
    made in the forward pass, and take its memory until the gradient comes: 42 MB, where 22 do, for 16 examples of a DS-CNN.
    """
    first = tf.reshape(tf.slice(dy, [0] * len(dy.shape), [1] * len(dy.shape)), [])
    return value * (1.0 + tf.minimum(tf.abs(first), 0.0))


def _operation(outputs: Sequence[tf.Tensor]) -> tf.Operation:
    """Gives an operation that has exactly these outputs."""
    (first, *others) = outputs
    if not others and len(first.op.outputs) == 1:
        return first.op
    return tf.identity_n(list(outputs))[0].op


for _module in pkgutil.iter_modules(operators.__path__):
    import_module(f"{operators.__name__}.{_module.name}")
