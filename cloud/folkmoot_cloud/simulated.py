"""The cloud in a simulated federation: the real program; its tables are the facts that it has told."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from folkmoot import plugins
from folkmoot.clock import Mark
from folkmoot.hop.batch import Batch
from folkmoot.hop.upper import PREFIX, Upper
from folkmoot.simulate import toy
from folkmoot.simulate.host import Host
from folkmoot.strategy import Model
from folkmoot.wire import bundle
from folkmoot.wire.messages import Plan
from folkmoot.wire.topics import Tree
from folkmoot_cloud.runner.campaign import Campaign, Cohort, Spec
from folkmoot_cloud.runner.facts import Evaluated, Fact, Learnt, RoundClosed, RoundOpened, RunMoved
from folkmoot_cloud.runner.node import Cloud, Enter
from folkmoot_cloud.runner.past import Past

GRACE = 45_000  # ms: 1.5 keepalives of 30 s


@dataclasses.dataclass(frozen=True, slots=True)
class Entered:
    """A run was created."""

    campaign: Campaign


@dataclasses.dataclass(frozen=True, slots=True)
class Remembered:
    """What a run knows of its rounds that are over; the real tables have it in what became of whom."""

    run: str
    past: Past


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """A row of the tables, and when it was written."""

    at: int  # ms of the world
    off: int  # ms that the cloud had been off by then, in all
    lives: int  # of the cloud by then
    fact: Any


def campaign(parameters: int, rounds: int, **fields: Any) -> Campaign:
    """Gives a run of the toy task that starts from zeros; `fields` are those of its Spec."""
    task = toy.program(parameters)
    given = {
        "run": "run1",
        "program": bundle.dump(task),
        "manifest": task.manifest,
        "strategy": plugins.load("strategies", "fedavg", {}),
        "strategy_name": "fedavg",
        "options": {},
        "selector": plugins.load("selectors", "uniform", {}),
        "cohort": Cohort(),
        "plan": Plan(),
        "minimum": 1,
        "deadline": 60_000,
        "over_selection": 1.0,
        "evaluate": True,
        "scale": 22,
        "bound": 64.0,
        "cap": 10_000,
        "total": 1 << 25,
        "secret": "secret",
    }
    weights = np.zeros(parameters, "<f4")
    return Campaign(Spec(**{**given, **fields}), Model({"w": weights}), weights.tobytes(), version=0, number=0, rounds=rounds)


class CloudHost(Host):
    """The cloud."""

    def journal(self) -> "_Journal":
        """Stores facts with the step that they are of."""
        return _Journal(self)

    def make(self) -> Cloud:
        """Gives the program, with every run as the facts have it."""
        tree = Tree("fl")
        below = self.below = Upper(tree, "cloud", self.spool, 2 * self.place.inline)
        self.join("down", tree, "cloud", upper=True)
        self.ports["down"].outlet.sent = below.sent
        node = Cloud(below, GRACE)
        histories = dict(self.ledger.histories())
        for run, entered in self._durable_runs().items():
            mine = [key for key in histories if key.startswith(f"{PREFIX}{run}/")]
            assert len(mine) <= 1, f"{run} has several open rounds: {mine}"
            history: Any = histories[mine[0]] if mine else ()
            owner = mine[0] if mine else ""
            kept = lambda sha, owner=owner: self.ledger.payload(owner, sha)  # noqa: E731
            self.driver.post("runs", Enter(entered, history, kept))
        return node

    def enter(self, run: Campaign) -> None:
        """Begins a run."""
        self.ledger.rows = self.told([Entered(dataclasses.replace(run))])
        self.ledger.commit((), {}, firm=True)
        self.driver.post("runs", Enter(dataclasses.replace(run)))

    @property
    def facts(self) -> list[Any]:
        """What the tables hold."""
        return [told.fact for told in self.place.stores.rows]

    def told(self, facts: list[Any]) -> list[Told]:
        """Gives rows of facts that are being written."""
        return [Told(self.place.now(), self.down_ms, self.lives, fact) for fact in facts]

    @property
    def spans(self) -> list[tuple[int, Told, Told]]:
        """Each round that is over: its number, when it was (last) opened, and its end."""
        opened: dict[int, Told] = {}
        found = []
        for told in self.place.stores.rows:
            match told.fact:
                case RoundOpened(number=number):
                    opened[number] = told
                case RoundClosed(number=number):
                    found.append((number, opened[number], told))
                case _:
                    pass
        return found

    @property
    def rounds(self) -> list[RoundClosed]:
        """The records of the rounds that are over."""
        return [fact for fact in self.facts if isinstance(fact, RoundClosed)]

    @property
    def models(self) -> dict[tuple[str, int], str]:
        """Run and round to the sha256 of the model after it."""
        return {(fact.run, fact.number): fact.campaign.digest.hex() for fact in self.facts if isinstance(fact, Learnt)}

    @property
    def finished(self) -> bool:
        """Whether every run is over."""
        facts = self.facts
        over = {fact.run for fact in facts if isinstance(fact, RunMoved) and fact.status == "finished"}
        return over >= {fact.campaign.spec.run for fact in facts if isinstance(fact, Entered)}

    def _durable_runs(self) -> dict[str, Campaign]:
        """Gives the runs that are not over, as the facts leave them."""
        runs: dict[str, Campaign] = {}
        for fact in self.facts:
            match fact:
                case Entered(run):
                    runs[run.spec.run] = dataclasses.replace(run)
                case Learnt(name, number, run):
                    runs[name] = dataclasses.replace(run, key="", number=number)
                case RoundClosed(run=name, number=number):
                    runs[name].number = number
                case Remembered(name, past):
                    runs[name].past = past
                case Evaluated(name, version):
                    runs[name].evaluated = version
                case RunMoved(name, "finished"):
                    del runs[name]
                case _:
                    pass
        return runs


class _Journal:
    """Where the cloud's steps are stored (folkmoot.serve.driver.Journal)."""

    def __init__(self, host: CloudHost) -> None:
        self._host = host

    async def commit(self, batches: Mapping[str, Batch], mark: Mark) -> None:
        """Stores a step with its facts, all or nothing."""
        node: Cloud = self._host.node
        facts, node.facts = node.facts, []
        closed = {fact.run for fact in facts if isinstance(fact, RoundClosed)}.intersection(node.campaigns)
        remembered = [Remembered(run, node.campaigns[run].past) for run in sorted(closed)]
        self._host.ledger.rows = self._host.told([*(_frozen(fact) for fact in facts), *remembered])
        if facts or any(not batch.empty for batch in batches.values()):
            self._host.ledger.commit(batches.values(), {"now": mark.now, "wall": mark.wall})


def _frozen(fact: Fact) -> Fact:
    """Gives a fact whose campaign does not go on changing."""
    return dataclasses.replace(fact, campaign=dataclasses.replace(fact.campaign)) if isinstance(fact, Learnt) else fact
