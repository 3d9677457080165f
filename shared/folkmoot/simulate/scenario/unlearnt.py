"""Updates that nobody has learnt, for scenarios that are about aggregation alone: no runtime is loaded, nothing is trained."""

import msgspec
import numpy as np

from folkmoot import parts
from folkmoot.arrays import Array
from folkmoot.errors import MisuseFault
from folkmoot.serve.conversation import Work
from folkmoot.serve.lesson import Lesson, transform_of
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.wire.layout import Layout
from folkmoot.wire.partial import Group

KINDS = 16  # different updates that there are: to make one for each device would take longer than to add it up
SIZE = 0.001  # standard deviation of an element


class Unlearnt:
    """The examples of devices that have none (folkmoot.simulate.scenario.examples.Examples), and their updates."""

    def __init__(self, scenario: Scenario) -> None:
        self._seed, self._each = scenario.seed, scenario.data.each or 20
        self._made: dict[tuple[Layout, int, str | None], dict[str, Group]] = {}

    def size(self, device: int) -> int:
        """Gives how many examples a device says that it has."""
        return self._each

    def of(self, device: int) -> tuple[Array, Array]:
        """Raises MisuseFault."""
        raise MisuseFault(f"device {device} has nothing to learn from")

    def lesson(self, device: int, ask: Work, layout: Layout) -> Lesson:
        """Gives what a device answers."""
        if ask.phase != "train":
            return Lesson({}, {"eval_count": 0, "eval_correct": 0, "eval_loss_u20": 0, "eval_members": 0}, 0, 0)
        kind = device % KINDS
        made = self._made.get((layout, kind, ask.transform))
        if made is None:
            made = self._made[layout, kind, ask.transform] = self._make(layout, kind, ask)
        weight = min(self._each, ask.cap)
        groups = {name: msgspec.structs.replace(group, weight=weight) for name, group in made.items()}
        return Lesson(groups, {"train_count": self._each}, 0, self._each)

    def _make(self, layout: Layout, kind: int, ask: Work) -> dict[str, Group]:
        rng, transform = np.random.default_rng((self._seed, kind)), transform_of(ask.transform)
        return {
            name: parts.travelling((SIZE * rng.standard_normal(one.size, np.float32) for one in tensors), 1, transform, kind)
            for name, tensors in layout.groups.items()
        }
