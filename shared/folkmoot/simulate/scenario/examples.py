"""What the devices of a scenario learn from: arrays in memory, or made when they are asked for."""

from array import array
from functools import lru_cache
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from folkmoot import partition
from folkmoot.arrays import Array
from folkmoot.errors import UserFault
from folkmoot.serve.batches import Batch, Batches
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.unlearnt import Unlearnt
from folkmoot.store.examples import Split
from folkmoot.tasks import digits
from folkmoot.wire.bundle import Contract

NOISE = 0.25  # standard deviation of a generated example around its class
CLASSES = 10
KEPT = 64 << 20  # bytes of generated examples that are kept


class Held(Batches):
    """The examples of one device, in memory."""

    def __init__(self, x: Array, y: Array, held: int, size: int) -> None:
        """`x`: [n, ...] float32, `y`: [n] int32; the last `held` of them are held out; batches have `size` examples."""
        super().__init__(size)
        self._x, self._y = x, y
        self._train = len(y) - held

    def ids(self, split: Split) -> "array[int]":
        """Gives the indices of a split."""
        return array("q", range(self._train) if split == "train" else range(self._train, len(self._y)))

    def read(self, ids: "array[int]") -> Batch | None:
        """Gives some examples."""
        some = np.frombuffer(ids, np.int64)
        return self._x[some], self._y[some]


class Examples(Protocol):
    """The examples of a whole fleet."""

    def size(self, device: int) -> int:
        """Gives how many a device has."""
        ...

    def of(self, device: int) -> tuple[Array, Array]:
        """Gives those of a device: x and y."""
        ...


class Digits:
    """Scikit-learn's handwritten digits; of a fleet that needs more, some are given ones with pixels that are a little off."""

    def __init__(self, scenario: Scenario, contract: Contract) -> None:
        devices, each = scenario.fleet.devices, scenario.data.each
        rng = np.random.default_rng(scenario.seed)
        self._seed, self._shape = scenario.seed, contract.x_shape
        dealt, _ = digits.load()
        wanted = devices * each if each else max(len(dealt), 12 * devices)
        self._dealt = digits.more(dealt, wanted, rng)
        self._shards = partition.dirichlet(self._dealt.y, devices, scenario.data.alpha, rng)
        self._shuffled: set[int] = set()  # devices whose shard is in its order: it is not by class, as a holdout needs it

    def size(self, device: int) -> int:
        """Gives how many a device has."""
        return len(self._shards[device])

    def of(self, device: int) -> tuple[Array, NDArray[np.int32]]:
        """Gives those of a device."""
        if device not in self._shuffled:
            np.random.default_rng((self._seed, device)).shuffle(self._shards[device])
            self._shuffled.add(device)
        shard = self._shards[device]
        return self._dealt.x[shard].reshape(-1, *self._shape), self._dealt.y[shard]


class Generated:
    """Classes around points that chance has set, with labels by Dirichlet's distribution; few of them are kept."""

    def __init__(self, scenario: Scenario, contract: Contract) -> None:
        self._seed, self._each, self._alpha = scenario.seed, scenario.data.each or 20, scenario.data.alpha
        self._shape = contract.x_shape
        self._centres = np.random.default_rng(self._seed).uniform(0, 1, (CLASSES, *self._shape)).astype(np.float32)
        self.of = lru_cache(KEPT // (4 * self._each * (prod(self._shape) + 1)))(self._make)

    def size(self, device: int) -> int:
        """Gives how many a device has."""
        return self._each

    def _make(self, device: int) -> tuple[Array, NDArray[np.int32]]:
        """Gives those of a device: the same ones every time."""
        rng = np.random.default_rng((self._seed, device))
        shares = rng.dirichlet(np.full(CLASSES, self._alpha))
        y = rng.choice(CLASSES, self._each, p=shares).astype(np.int32)
        noise = rng.standard_normal((self._each, *self._shape), np.float32)
        return self._centres[y] + np.float32(NOISE) * noise, y


def make(scenario: Scenario, contract: Contract) -> Examples:
    """Gives a scenario's examples. Raises UserFault where they are not what the task takes."""
    if scenario.data.examples == "none":
        return Unlearnt(scenario)
    if scenario.data.examples == "generated":
        if contract.y_shape or contract.y_dtype != "int32":
            raise UserFault(f"generated examples have a label each; the task takes {contract.name}")
        return Generated(scenario, contract)
    if contract.name != digits.CONTRACT:
        raise UserFault(f'the digits are {digits.CONTRACT}, the task takes {contract.name}: write examples = "generated"')
    return Digits(scenario, contract)
