"""The cloud in a simulated federation: the real program; its tables are the facts that it has told."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from pydantic import ValidationError

from folkmoot import arrays, plugins
from folkmoot.errors import UserFault
from folkmoot.hop.upper import PREFIX
from folkmoot.parts import check_scale
from folkmoot.simulate import toy
from folkmoot.simulate.host import Host
from folkmoot.simulate.scenario.outcome import Account
from folkmoot.simulate.shown import Show, Shown, nobody
from folkmoot.simulate.tables import Row, Tables
from folkmoot.strategy import Model
from folkmoot.wire import bundle
from folkmoot.wire.messages import Plan
from folkmoot.wire.topics import SHARDS
from folkmoot_cloud import tables
from folkmoot_cloud.faults import Invalid
from folkmoot_cloud.runner.campaign import Campaign, Cohort, Spec
from folkmoot_cloud.runner.facts import AnswerTaken, Evaluated, GatewayTold, Learnt, RoundClosed, RoundOpened, RunMoved
from folkmoot_cloud.runner.flight import Frame, Top
from folkmoot_cloud.runner.journal import fates_of
from folkmoot_cloud.runner.load import specify
from folkmoot_cloud.runner.node import Cloud, Enter
from folkmoot_cloud.runner.past import Past
from folkmoot_cloud.runs import service
from folkmoot_cloud.runs.schemas import RunNew
from folkmoot_cloud.tables import Task
from folkmoot_cloud.tenants.service import MAIN

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


def launched(fields: Mapping[str, Any], task: bytes, seed: int) -> Campaign:
    """Gives a run as POST /v1/runs would start it. Raises UserFault where it would refuse it."""
    try:
        new = RunNew(**{**fields, "task": "task"})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("run", *first["loc"]))
        raise UserFault(f"{place}: {first['msg']}") from None
    content, program = bundle.load(task)
    manifest = program.manifest
    base = Task(id="task", name=manifest.task, manifest=msgspec.to_builtins(manifest, builtin_types=(bytes,)))
    try:
        check_scale(new.precision.scale, new.precision.bound, new.precision.total)
        service.check_total(new.cohort, new)
        row = service.row(MAIN, new, base, tables.Model(id="base"), datetime.fromtimestamp(0, UTC))
    except Invalid as fault:
        raise UserFault(f"run: {fault}") from None
    row.id, row.secret = "run", str(seed)
    weights = Model(arrays.unpack(manifest.layout, content.weights))
    return Campaign(specify(row, content.program), weights, content.weights, version=0, number=0, rounds=new.rounds)


def history(rows: Iterable[Row], messages: Mapping[int, int]) -> list[Account]:
    """Gives the rounds that are over, as the record has them; `messages`: of each round."""
    opened: dict[int, int] = {}
    stored: Counter[int] = Counter()  # rows of the database (folkmoot_cloud.runner.journal)
    found: dict[int, Account] = {}
    versions: dict[int, int] = {}  # to the round that has made them
    for row in rows:
        match row.fact:
            case RoundOpened(number=number, members=members):
                opened.setdefault(number, row.at)
                stored[number] = 1 + sum(1 + len(one.each or ()) for one in members)
            case AnswerTaken(number=number):
                stored[number] += 1
            case Learnt(number=number, campaign=campaign):
                versions[campaign.version] = number
                stored[number] += 1
            case RoundClosed(number=number) as closed:
                found[number] = _account(closed, opened[number], row.at, messages.get(number, 0), stored[number])
            case Evaluated(version=version, quality=quality) if version in versions:
                number = versions[version]
                found[number] = dataclasses.replace(found[number], accuracy=quality.accuracy, loss=quality.loss)
            case _:
                pass
    return list(found.values())


def _account(fact: RoundClosed, opened: int, closed: int, messages: int, rows: int) -> Account:
    fates = {device: one for (_, device), one in fates_of(fact).items() if device}
    return Account(
        number=fact.number,
        opened=opened,
        closed=closed,
        outcome=fact.closed.outcome,
        reason=fact.closed.reason,
        fates={
            name: "" if one.fate == "answered" else f"{one.fate}:{one.reason}" if one.reason else one.fate
            for name, one in fates.items()
        },
        bytes_up=sum(up for up, _ in fact.traffic.values()),
        bytes_down=sum(down for _, down in fact.traffic.values()),
        messages=messages,
        rows=rows,
        examples=int(fact.sums.metrics.get("train_count", 0)),
        belated=fact.belated,
    )


class CloudHost(Host):
    """The cloud."""

    grace = GRACE
    show: Show = staticmethod(nobody)
    """Sees each phase of a round when it is over."""

    def journal(self) -> Tables:
        """Stores facts with the step that they are of."""
        self._tables = Tables(self, self._written)
        return self._tables

    def _written(self, facts: list[Any]) -> list[Any]:
        """Gives the rows that facts become: of gateways none, for nobody reads them here, and each has all that hangs on it."""
        running = self.node.campaigns if self.node is not None else {}
        closed = {fact.run for fact in facts if isinstance(fact, RoundClosed)}.intersection(running)
        told = (_frozen(fact) for fact in facts if not isinstance(fact, GatewayTold))
        if self.place.ears is None:  # nobody looks at what rounds have added up to: a row has no such thing either
            told = (_told(fact) for fact in told)
        return [*told, *(Remembered(run, running[run].past) for run in sorted(closed))]

    def make(self) -> Cloud:
        """Gives the program, with every run as the facts have it."""
        inline, shards = 2 * self.place.inline, frozenset(SHARDS)
        frame = Frame(namespace="fl", replica=self.name, software="", inline=inline, grace=self.grace, shards=shards)
        top = Top(frame, self.flight.spool(self.spool), Shown)
        self.below = top.below
        assert isinstance(top.below, Shown)
        top.below.show = self.show
        self.join("down", self.below.tree, "cloud", upper=True)
        self.ports["down"].outlet.sent = self.flight.sent(self.below.sent)
        self.flight.begin(top, self.timeline.now())
        histories = dict(self.ledger.histories())
        for run, entered in self._durable_runs().items():
            mine = [key for key in histories if key.startswith(f"{PREFIX}{run}/")]
            assert len(mine) <= 1, f"{run} has several open rounds: {mine}"
            history: Any = histories[mine[0]] if mine else ()
            owner = mine[0] if mine else ""
            kept = lambda sha, owner=owner: self.ledger.payload(owner, sha)  # noqa: E731
            self.driver.post("runs", Enter(entered, history, kept))
        return top.node

    def enter(self, run: Campaign) -> None:
        """Begins a run."""
        self._tables.write(Entered(dataclasses.replace(run)))
        self.driver.post("runs", Enter(dataclasses.replace(run)))

    @property
    def facts(self) -> list[Any]:
        """What the tables hold."""
        return [row.fact for row in self.place.stores.rows]

    @property
    def spans(self) -> list[tuple[int, Row, Row]]:
        """Each round that is over: its number, when it was (last) opened, and its end."""
        opened: dict[int, Row] = {}
        found = []
        for row in self.place.stores.rows:
            match row.fact:
                case RoundOpened(number=number):
                    opened[number] = row
                case RoundClosed(number=number):
                    found.append((number, opened[number], row))
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


def _told(fact: Any) -> Any:
    """Gives a fact without the sums of its round, which are larger than a model."""
    if not isinstance(fact, RoundClosed):
        return fact
    return dataclasses.replace(fact, sums=msgspec.structs.replace(fact.sums, groups={}))


def _frozen(fact: Any) -> Any:
    """Gives a fact whose campaign does not go on changing."""
    return dataclasses.replace(fact, campaign=dataclasses.replace(fact.campaign)) if isinstance(fact, Learnt) else fact
