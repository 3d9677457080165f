"""What a step does with its gradients, said in builtins, so that it runs inside the program.

The algorithms are those of Keras's optimisers of the same names, whose settings they take. What they remember are variables of
the program, one slot for each trained tensor; `reset` sets them to zero. The gradient of an embedding is whole here. Keras 3.15
on TensorFlow gives its Adam the rows one by one, and squares each of a row that a batch has twice, instead of their sum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from folkmoot.errors import UserFault
from folkmoot.wire.bundle import Optimizer

# Settings of Keras that mean the same here, with what they are where nothing is said.
_CLIPS = {"clipnorm": None, "clipvalue": None, "global_clipnorm": None}
_SETTINGS = {
    "sgd": {"momentum": 0.0, "nesterov": False, "weight_decay": None, **_CLIPS},
    "adam": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "weight_decay": None, **_CLIPS},
}
_SETTINGS["adamw"] = _SETTINGS["adam"]
_REFUSED = {"amsgrad": False, "use_ema": False, "loss_scale_factor": None, "gradient_accumulation_steps": None}


def described(given: keras.optimizers.Optimizer) -> tuple[Optimizer, float | None]:
    """Gives how a manifest describes one of Keras's optimisers, and its learning rate, None where that is a schedule.

    Raises UserFault for an optimiser or a setting that is not here.
    """
    name = type(given).__name__.lower()
    settings = given.get_config()
    if name not in _SETTINGS:
        raise UserFault(
            f"the optimiser {type(given).__name__} does not run on devices: use SGD, Adam or AdamW of keras.optimizers"
        )
    for refused, silent in _REFUSED.items():
        if settings.get(refused, silent) != silent:
            raise UserFault(f"the optimiser's {refused} does not run on devices: leave it away")
    options = {key: settings[key] for key, silent in _SETTINGS[name].items() if settings.get(key, silent) not in (None, silent)}
    rate = settings["learning_rate"]
    return Optimizer(name=name, options=options), float(rate) if isinstance(rate, int | float) else None


@dataclass(frozen=True, slots=True)
class Pace:
    """How far one tensor goes in one step; scalars."""

    rate: tf.Tensor  # the learning rate, 0 where the tensor is masked
    mask: tf.Tensor  # 1, or 0 where the tensor stays as it is


Step = Callable[[tf.Variable, tf.Tensor, tf.Tensor, Pace], tf.Tensor]
"""(variable, its value, gradient, pace) to its value after the step."""


class Rule:
    """An optimiser of a program, with its memory."""

    def __init__(self, described: Optimizer, trained: list[tf.Variable]) -> None:
        """Makes the memory that the optimiser has of the tensors which it trains."""
        self.options = {key: described.options.get(key, silent) for key, silent in _SETTINGS[described.name].items()}
        self._adaptive = described.name != "sgd"
        names = ("m", "v") if self._adaptive else ("m",) if self.options["momentum"] else ()
        # By name, and by the id of the tensor that it is of.
        self.slots = {name: {id(one): tf.Variable(tf.zeros_like(one), trainable=False) for one in trained} for name in names}
        self.count = tf.Variable(0.0, trainable=False) if self._adaptive else None  # steps since the last reset

    @property
    def memory(self) -> list[tf.Variable]:
        """All variables that a reset sets to zero."""
        held = [variable for slot in self.slots.values() for variable in slot.values()]
        return held if self.count is None else [*held, self.count]

    def clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Gives the gradients no longer than the settings allow."""
        if (limit := self.options["clipnorm"]) is not None:
            return [_shortened(one, one * one, limit) for one in gradients]
        if (limit := self.options["global_clipnorm"]) is not None:
            square = tf.add_n([tf.reduce_sum(one * one) for one in gradients])
            return [_shortened(one, square, limit) for one in gradients]
        if (limit := self.options["clipvalue"]) is not None:
            return [tf.maximum(-limit, tf.minimum(one, limit)) for one in gradients]
        return gradients

    def begin(self) -> Step:
        """Gives what moves each tensor in this step."""
        if self.count is None:
            return self._momentum if self.options["momentum"] else self._plain
        count = self.count.read_value() + 1.0
        self.count.assign(count)
        first, second = (1.0 - tf.pow(tf.constant(self.options[name], tf.float32), count) for name in ("beta_1", "beta_2"))
        correction = tf.sqrt(second) / first

        def step(variable: tf.Variable, value: tf.Tensor, gradient: tf.Tensor, pace: Pace) -> tf.Tensor:
            return self._adam(variable, value, gradient, pace, correction)

        return step

    def _plain(self, variable: tf.Variable, value: tf.Tensor, gradient: tf.Tensor, pace: Pace) -> tf.Tensor:
        return self._decayed(value, pace) - pace.rate * gradient

    def _momentum(self, variable: tf.Variable, value: tf.Tensor, gradient: tf.Tensor, pace: Pace) -> tf.Tensor:
        """m := momentum * m - rate * g; w := w + m, or, after Nesterov, w + momentum * m - rate * g."""
        momentum, held = self.options["momentum"], self.slots["m"][id(variable)]
        way = pace.rate * gradient
        m = momentum * held.read_value() - way
        held.assign(m)
        move = momentum * m - way if self.options["nesterov"] else m
        return self._decayed(value, pace) + pace.mask * move

    def _adam(
        self, variable: tf.Variable, value: tf.Tensor, gradient: tf.Tensor, pace: Pace, correction: tf.Tensor
    ) -> tf.Tensor:
        """Kingma and Ba, "Adam", 2015, section 2, with the bias correction in the rate: w - rate' * m / (sqrt(v) + eps)."""
        slots = [self.slots[name][id(variable)] for name in ("m", "v")]
        m, v = (slot.read_value() for slot in slots)
        m += (gradient - m) * (1.0 - self.options["beta_1"])
        v += (gradient * gradient - v) * (1.0 - self.options["beta_2"])
        for slot, now in zip(slots, (m, v), strict=True):
            slot.assign(now)
        return self._decayed(value, pace) - pace.rate * correction * (m / (tf.sqrt(v) + self.options["epsilon"]))

    def _decayed(self, value: tf.Tensor, pace: Pace) -> tf.Tensor:
        """Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019: w - rate * decay * w."""
        decay = self.options["weight_decay"]
        return value if decay is None else value * (1.0 - pace.rate * decay)


def _shortened(gradient: tf.Tensor, square: tf.Tensor, limit: float) -> tf.Tensor:
    """Gives the gradient times limit / length, where it is longer than the limit. `square`: what sums up to the length^2."""
    length = tf.sqrt(tf.reduce_sum(square))
    return gradient * (limit / tf.maximum(length, limit))
