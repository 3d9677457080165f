"""Federated averaging: the model moves by the mean of the updates, each weighted by its examples.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", AISTATS 2017, Algorithm 1:
w_{t+1} = w_t + eta_g * sum_i(n_i * delta_i) / sum_i(n_i), where eta_g = 1 in the paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from folkmoot.arrays import moved
from folkmoot.strategy import Model
from folkmoot.wire.messages import Plan


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be chosen."""

    learning_rate: Annotated[
        float, Meta(gt=0, le=100, description="eta_g: how far the model moves along the mean update; 1 is the paper's")
    ] = 1.0


@dataclass(frozen=True, slots=True)
class FedAvg:
    """The strategy; no state."""

    options: Options
    merges: ClassVar[Literal["exact"]] = "exact"

    def plan(self, plan: Plan) -> Plan:
        """Gives the plan as it is."""
        return plan

    def weigh(self, examples: int) -> int:
        """Gives n_i."""
        return examples

    def step(self, model: Model, mean: Mapping[str, Any], roles: Mapping[str, str]) -> Model:
        """Gives w + eta_g * mean; averaged tensors move by their whole mean."""
        rates = {name: self.options.learning_rate if roles[name] == "trained" else 1.0 for name in mean}
        steps = {name: rates[name] * change for name, change in mean.items()}
        return Model({**model.weights, **{name: moved(model.weights[name], step) for name, step in steps.items()}}, model.state)


def make(options: Options) -> FedAvg:
    """Gives the strategy with these options."""
    return FedAvg(options)
