"""The seam of learning algorithms: how members train, what their answers weigh, and how the model steps.

A strategy is a value of pure functions over arrays; it knows no network, no clock and no randomness. A module in
`folkmoot/strategies/` that has `Options` and `make` is a strategy by the name of its file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from folkmoot.wire.messages import Plan


@dataclass(frozen=True, slots=True)
class Model:
    """What a version of the global model consists of."""

    weights: Mapping[str, Any]  # tensor name to float array, as the task's layout has it
    state: Mapping[str, Any] = field(default_factory=dict)  # of the server optimiser, float32 arrays and 0-d counters


class Strategy(Protocol):
    """A federated-learning algorithm."""

    merges: ClassVar[Literal["exact", "collects", "edge"]]
    """exact: partials merge at every tier and tree equals star; collects: single answers at one tier; edge: HierFAVG."""

    def plan(self, plan: Plan) -> Plan:
        """Gives the local plan with what the algorithm adds to it (FedProx: the proximal term)."""
        ...

    def weigh(self, examples: int) -> int:
        """Gives the integer weight of an update that was trained on `examples` examples."""
        ...

    def step(self, model: Model, mean: Mapping[str, Any], roles: Mapping[str, str]) -> Model:
        """Gives the next model from the weighted mean of the deltas.

        `mean` holds every shared tensor, float64, in the shape of the layout. Server optimisers touch tensors whose role is
        `trained`; those whose role is `averaged` just move by their mean.
        """
        ...
