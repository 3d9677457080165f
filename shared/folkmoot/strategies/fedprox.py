"""Federated averaging with a proximal term that keeps members near the global model: for data and devices that differ much.

Li et al., "Federated Optimization in Heterogeneous Networks", MLSys 2020, Algorithm 2: a member minimises
F_i(w) + mu / 2 * ||w - w_t||^2 over as many steps as it can do; the server averages as in FedAvg.
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

    mu: Annotated[
        float, Meta(ge=0, le=1000, description="pull of the global model on local training; 0 is plain federated averaging")
    ] = 0.01  # the paper tunes over 0.001, 0.01, 0.1 and 1


@dataclass(frozen=True, slots=True)
class FedProx:
    """The strategy; no state."""

    options: Options
    merges: ClassVar[Literal["exact"]] = "exact"

    def plan(self, plan: Plan) -> Plan:
        """Gives the plan with mu as its proximal term."""
        return msgspec.structs.replace(plan, proximal=self.options.mu)

    def weigh(self, examples: int) -> int:
        """Gives n_i."""
        return examples

    def step(self, model: Model, mean: Mapping[str, Any], roles: Mapping[str, str]) -> Model:
        """Gives w + mean, for every tensor that was shared."""
        return Model({**model.weights, **{name: moved(model.weights[name], step) for name, step in mean.items()}}, model.state)


def make(options: Options) -> FedProx:
    """Gives the strategy with these options."""
    return FedProx(options)
