"""A simulated federation (folkmoot.simulate) whose machines keep what they have in real files."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from random import Random
from typing import Any

from folkmoot.hop.batch import Batch
from folkmoot.link.adversary import Adversary
from folkmoot.simulate.faults.plan import Plan
from folkmoot.simulate.faults.world import World as Simulated
from folkmoot.store.cache import Cache
from folkmoot.store.ledger import Ledger
from folkmoot.store.spool import Spool
from folkmoot_cloud.runner.facts import RoundClosed
from folkmoot_device.simulated import TRAIN_MS
from folkmoot_gateway.simulated import GatewayHost

GRACE = 90_000  # ms: longer than a round, so that only its deadline counts a silent home out

__all__ = ["GatewayHost", "World"]


class Files:
    """A folder that outlives crashes (folkmoot.simulate.host.Stores)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.step: Callable[[], None] = lambda: None
        self.committed: Callable[[Collection[Batch]], None] = lambda batches: None
        self.rows: list[Any] = []  # the cloud's tables, which are no files here

    def boot(self) -> tuple[Ledger, Cache, Spool]:
        """Gives the stores of one life."""
        ledger = _Ledger(self.folder / "ledger.db", self)
        return ledger, Cache(self.folder / "cache", 1 << 30), Spool(self.folder / "spool")

    def lose_power(self, rng: Random) -> None:
        """Files of a system that is up lose nothing: that is for folkmoot.simulate.disk."""
        raise AssertionError("a power cut needs folkmoot.simulate.disk")


class _Ledger(Ledger):
    def __init__(self, path: Path, files: Files) -> None:
        super().__init__(path)
        self.rows: list[Any] = []
        self._beside = files

    def commit(self, batches: Collection[Batch], facts: Mapping[str, Any], firm: bool = False) -> None:
        super().commit(batches, facts, firm)
        self._beside.rows += self.rows
        self.rows = []
        self._beside.committed(batches)


class World(Simulated):
    """Homes by gateway, each with its devices and a broker; one cloud with another."""

    def __init__(
        self,
        folder: Path,
        homes: Mapping[str, list[str]],
        *,
        seed: int = 0,
        adversary: Adversary | None = None,
        parameters: int = 50,
    ) -> None:
        plan = Plan(
            seed, {name: tuple(found) for name, found in homes.items()}, adversary or Adversary(), parameters=parameters
        )
        super().__init__(plan, lambda name: Files(folder / name))
        self.folder, self.parameters = folder, parameters
        self.cloud.grace = GRACE
        draws = Random(seed)
        for _ in self.hubs:
            draws.random()  # the networks' own
        for device in self.devices.values():
            device.trade.train_ms = draws.randint(*TRAIN_MS)

    @property
    def rounds(self) -> list[RoundClosed]:
        """The records of the rounds that are over."""
        return self.cloud.rounds  # type: ignore[no-any-return]
