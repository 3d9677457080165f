"""Federated averaging with an optimiser at the server, which takes the mean update for a gradient.

Reddi et al., "Adaptive Federated Optimization", ICLR 2021, Algorithm 2, for adagrad, adam and yogi; with D the mean update:

    m <- beta1 * m + (1 - beta1) * D                                     m starts at 0
    v <- v + D^2                                         (adagrad)       v starts at tau^2
    v <- beta2 * v + (1 - beta2) * D^2                   (adam)
    v <- v - (1 - beta2) * D^2 * sign(v - D^2)           (yogi)
    w <- w + eta * m / (sqrt(v) + tau)

There is no correction of the bias, as in the paper. Momentum is FedAvgM of Hsu et al., "Measuring the Effects of Non-Identical
Data Distribution for Federated Visual Classification", 2019: m <- beta1 * m + D, w <- w + eta * m.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from folkmoot.arrays import moved
from folkmoot.strategy import Model
from folkmoot.wire.messages import Plan

Optimizer = Literal["momentum", "adagrad", "adam", "yogi"]
Wide = NDArray[np.float64]

# What the paper uses (appendix D): eta from the middle of its tuned values, beta1 = 0 for Adagrad, which has no momentum.
_RATES: Mapping[Optimizer, float] = {"momentum": 1.0, "adagrad": 0.1, "adam": 0.01, "yogi": 0.01}
_BETAS: Mapping[Optimizer, float] = {"momentum": 0.9, "adagrad": 0.0, "adam": 0.9, "yogi": 0.9}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be chosen."""

    optimizer: Annotated[Optimizer, Meta(description="what makes a step of the mean update")] = "adam"
    learning_rate: Annotated[
        Annotated[float, Meta(gt=0, le=100)] | None,
        Meta(description="eta; left out: 1 for momentum, 0.1 for adagrad, 0.01 for adam and yogi"),
    ] = None
    beta1: Annotated[
        Annotated[float, Meta(ge=0, lt=1)] | None,
        Meta(description="how much of the last step's direction stays; left out: 0 for adagrad, 0.9 for the others"),
    ] = None
    beta2: Annotated[float, Meta(ge=0, lt=1, description="how much of the second moment stays, for adam and yogi")] = 0.99
    tau: Annotated[
        float, Meta(gt=0, le=1, description="adaptivity: the smaller, the more alike are the steps of all weights")
    ] = 1e-3


@dataclass(frozen=True, slots=True)
class FedOpt:
    """The strategy. State: `m/<tensor>` and, but for momentum, `v/<tensor>`, float32 in the tensor's shape."""

    options: Options
    merges: ClassVar[Literal["exact"]] = "exact"

    def plan(self, plan: Plan) -> Plan:
        """Gives the plan as it is."""
        return plan

    def weigh(self, examples: int) -> int:
        """Gives n_i."""
        return examples

    def step(self, model: Model, mean: Mapping[str, Any], roles: Mapping[str, str]) -> Model:
        """Gives the model after one step of the optimiser; averaged tensors move by their mean."""
        weights, state = dict(model.weights), dict(model.state)
        for name, change in mean.items():
            step = self._optimise(name, change, state) if roles[name] == "trained" else change
            weights[name] = moved(weights[name], step)
        return Model(weights, state)

    def _optimise(self, name: str, change: Wide, state: dict[str, Any]) -> Wide:
        """Gives the step of one tensor and puts its new moments into `state`."""
        chosen = self.options
        rate = _RATES[chosen.optimizer] if chosen.learning_rate is None else chosen.learning_rate
        beta = _BETAS[chosen.optimizer] if chosen.beta1 is None else chosen.beta1
        part = 1.0 if chosen.optimizer == "momentum" else 1.0 - beta
        first = beta * _read(state, f"m/{name}", 0.0, change) + part * change
        state[f"m/{name}"] = first.astype(np.float32)
        if chosen.optimizer == "momentum":
            return rate * first
        second = self._square(_read(state, f"v/{name}", chosen.tau**2, change), change * change)
        state[f"v/{name}"] = second.astype(np.float32)
        return rate * first / (np.sqrt(second) + chosen.tau)

    def _square(self, second: Wide, square: Wide) -> Wide:
        """Gives the second moment after one more squared update."""
        part = 1.0 - self.options.beta2
        match self.options.optimizer:
            case "adagrad":
                return second + square
            case "yogi":
                return second - part * square * cast(Wide, np.sign(second - square))
            case _:
                return self.options.beta2 * second + part * square


def _read(state: Mapping[str, Any], name: str, start: float, like: Wide) -> Wide:
    """Gives a moment in float64, or where there is none yet, one that starts at `start`."""
    return np.array(state.get(name, np.full(like.shape, start)), np.float64)


def make(options: Options) -> FedOpt:
    """Gives the strategy with these options."""
    return FedOpt(options)
