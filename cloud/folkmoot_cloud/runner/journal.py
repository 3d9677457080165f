"""Writes a step of the cloud's program into the database: journal, kept answers and tables in one transaction."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from folkmoot.clock import Mark
from folkmoot.errors import StoreFault
from folkmoot.hop import events
from folkmoot.hop.batch import Batch
from folkmoot.hop.seat import Seat
from folkmoot.parts import WHOLE
from folkmoot.store.ledger import SCHEMA
from folkmoot.wire import codec
from folkmoot.wire.partial import Leaf
from folkmoot.wire.topics import NONE
from folkmoot_cloud import clock
from folkmoot_cloud.contributions import repository as contributions
from folkmoot_cloud.database import Session, after_commit
from folkmoot_cloud.engine import Context
from folkmoot_cloud.gateways import service as gateways
from folkmoot_cloud.journal import repository as entries
from folkmoot_cloud.leases import service as leases
from folkmoot_cloud.models import service as models
from folkmoot_cloud.rounds import fates
from folkmoot_cloud.rounds import progress as rounds
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner import notes, state
from folkmoot_cloud.runner.facts import (
    AnswerRefused,
    AnswerTaken,
    Evaluated,
    Fact,
    GatewayTold,
    Given,
    Learnt,
    RoundClosed,
    RoundOpened,
    RunMoved,
)
from folkmoot_cloud.runner.node import Cloud
from folkmoot_cloud.runner.retraction import Postponed, Retracted
from folkmoot_cloud.runs import progress as runs
from folkmoot_cloud.runs import repository as run_rows
from folkmoot_cloud.tables import Run


class DatabaseJournal:
    """The journal of the cloud's program (folkmoot.serve.driver.Journal)."""

    def __init__(self, context: Context, tenant: str, node: Cloud, shard: Callable[[str], str], leased: dict[str, int]) -> None:
        """`shard`: of a run or gateway, by its name; `leased`: shard to the token of its lease, of those that are ours."""
        self._context = context
        self._tenant = tenant
        self._node = node
        self._shard = shard
        self._leased = leased
        self.ended: Callable[[str], None] = _nobody
        """Hears of a run that has ended, or was to end and was given more rounds meanwhile."""
        self.given: Callable[[], None] = _nobody
        """Hears that fewer shards are ours."""
        self.look: Callable[[str], None] = _nobody
        """Hears of a run of which there is more in the database than the program has seen."""
        self.ahead: dict[str, int] = {}  # machine to the ms that the program's time is ahead of its own; 0 for those begun here
        self._models: dict[str, str] = {}  # run to its newest model, for the parent of the next
        self._rows: dict[str, Run] = {}  # what does not change about a run that is ours
        self._sequences: dict[str, int] = {}  # machine to the number of its last event, where we have written it

    async def commit(self, batches: Mapping[str, Batch], mark: Callable[[], Mark]) -> None:
        """Stores a step. Raises StoreFault: nothing is stored, or a lease is lost; the program must be built anew."""
        facts, self._node.facts = self._node.facts, []
        batch = batches["down"]
        held = self._touched(batch, facts)
        if batch.empty and not facts and not held:
            return
        try:
            async with self._context.database.write(firm=batch.firm) as session:
                if held:
                    await leases.hold(session, self._tenant, held)
                at = clock.now()
                await self._tell(session, facts, at)
                orphans = await self._store(session, batch, mark())
        except (SQLAlchemyError, OSError) as error:
            raise StoreFault(f"the database does not do: {error}") from error
        self._stands(facts)
        for digest in orphans:
            await self._context.blobs.delete(self._tenant, digest)

    def _touched(self, batch: Batch, facts: list[Fact]) -> dict[str, int]:
        """Gives the shards that this is about, with our tokens: what is written and what is said must be for us to say.

        With SQLite there is no other process.
        """
        if self._context.database.sqlite:
            return {}
        touched = {send.shard for send in batch.sends if send.shard != NONE}
        touched |= {self._shard(key.partition("/")[2].partition("/")[0]) for key, _ in batch.journal}
        for fact in facts:
            touched |= fact.shards if isinstance(fact, Given) else {self._shard(_about(fact))}
        return {shard: self._leased.get(shard, 0) for shard in touched}

    def _stands(self, facts: list[Fact]) -> None:
        """What is to be known at once when a step is stored."""
        for fact in facts:
            if isinstance(fact, Given):
                for shard in fact.shards:
                    self._leased.pop(shard, None)
                self.given()
            elif isinstance(fact, RunMoved) and fact.outcome is not None:
                self.ended(fact.run)

    async def _store(self, session: Session, batch: Batch, mark: Mark) -> list[str]:
        """Writes the hop's batch; gives the large payloads that may go once it stands."""
        machines: dict[str, list[bytes]] = {}
        orphans: set[str] = set()
        for key in batch.forgets:
            self._sequences.pop(key, None)
            self.ahead.pop(key, None)
            orphans.update(await entries.forget(session, self._tenant, key))
        for key, payload in batch.drops:
            orphans.update(await entries.drop(session, self._tenant, key, payload.hex()))
        for key, event in batch.rows:
            if isinstance(event, events.Opened):
                self._sequences.setdefault(key, 0)
            machines.setdefault(key, []).append(bytes([SCHEMA]) + codec.dump(event))
        for key, rows in machines.items():
            last = self._sequences.get(key)
            now = batch.now - self.ahead.get(key, 0)
            self._sequences[key] = await entries.append(session, self._tenant, key, now, rows, last, mark.wall)
        for keep in batch.payloads:
            await entries.keep(session, self._context.blobs, self._tenant, keep.owner, keep.content)
        return sorted(orphans.difference(keep.payload.hex() for keep in batch.payloads))

    # The tables.

    async def _tell(self, session: Session, facts: list[Fact], at: datetime) -> None:
        for fact in facts:
            match fact:
                case GatewayTold(gateway, entry):
                    await gateways.told(session, self._tenant, gateway, entry, at)
                case Given(shards):
                    await leases.release(session, self._tenant, {shard: self._leased[shard] for shard in shards})
                case RunMoved():
                    await self._run(session, fact, at)
                case RoundOpened(run, number, base, members):
                    self._rows.pop(run, None)  # operators may have given it more rounds
                    asked = [Fate(one.member) for one in members]
                    asked += [Fate(one.member, leaf.device) for one in members for leaf in one.each or ()]
                    await rounds.opened(session, await self._row(session, run), number, base, asked, at)
                case AnswerTaken():
                    await self._answer(session, fact, at)
                case Retracted():
                    await self._retracted(session, fact, at)
                case Postponed(run):
                    after_commit(session, lambda run=run: self.look(run))  # type: ignore[misc]
                case AnswerRefused(run, number, gateway, local, reason):
                    rounds.refused(session, await self._row(session, run), number, gateway, local, reason, at)
                case Learnt(run, _, campaign):
                    row = await self._row(session, run)
                    parent = self._models.get(run) or row.model or row.base_model
                    kept = state.dump(campaign.model.state)
                    version, block = campaign.version, campaign.block
                    model = await models.learnt(session, self._context.blobs, row, version, parent, block, at, state=kept)
                    self._models[run] = model.id
                case RoundClosed():
                    await self._closed(session, fact, at)
                case Evaluated(run, version, quality):
                    await rounds.evaluated(
                        session,
                        await self._row(session, run),
                        version,
                        at,
                        loss=quality.loss,
                        accuracy=quality.accuracy,
                        examples=quality.examples,
                        members=quality.members,
                    )

    async def _run(self, session: Session, fact: RunMoved, at: datetime) -> None:
        if fact.status == "running":
            await runs.started(session, self._tenant, fact.run, at)
            await runs.waits(session, self._tenant, fact.run, fact.reason)
        elif fact.status == "paused":
            await runs.paused(session, self._tenant, fact.run, at)
        elif fact.outcome is not None:
            self._models.pop(fact.run, None)
            self._rows.pop(fact.run, None)
            await runs.finished(session, self._tenant, fact.run, fact.outcome, fact.reason, at)

    async def _answer(self, session: Session, fact: AnswerTaken, at: datetime) -> None:
        belated = fact.belated
        fresh = await contributions.add(
            session,
            self._tenant,
            ask=fact.ask,
            member=fact.member,
            run_id=fact.run,
            number=fact.number,
            asked=fact.number if belated is None else belated.round,
            local=0 if belated is None else belated.local,
            factor=WHOLE if belated is None else belated.factor,
            payload=fact.payload,
            size=fact.size,
            leaves=fact.leaves,
            at=at,
        )
        if not fresh:
            raise StoreFault(f"the answer of {fact.member} in round {fact.number} of run {fact.run} was counted before")
        row = await self._row(session, fact.run)
        if belated is not None:
            rounds.belated(session, row, fact.number, belated, fact.size, at)
            return
        await rounds.told(session, row, fact.number, [Fate(fact.member, fate="answered", bytes_up=fact.size)], at)

    async def _retracted(self, session: Session, fact: Retracted, at: datetime) -> None:
        undone = None
        if fact.undone is not None:
            ask, undone = fact.undone
            await contributions.remove(session, self._tenant, ask, undone)
        row = await self._row(session, fact.run)
        await rounds.retracted(session, row, fact.number, fact.device, fact.gateways, undone, at)
        for late in fact.belated:
            await contributions.void(session, self._tenant, late.ask, late.member)
            rounds.refused(session, row, late.round, late.member, late.local, "retracted", at)
        await contributions.retracted(session, self._tenant, fact.run, fact.number, fact.device, at)

    async def _closed(self, session: Session, fact: RoundClosed, at: datetime) -> None:
        # Requests hold the run as well. The next life, which begins where this step did, does what they ask for first.
        await run_rows.locked(session, self._tenant, fact.run)
        wanted = await contributions.retractions(session, self._tenant, [fact.run])
        if any(one.number == fact.number for one in wanted):
            raise StoreFault(f"round {fact.number} of run {fact.run} has retractions that came in its last moment")
        row = await self._row(session, fact.run)
        await rounds.told(session, row, fact.number, list(fates_of(fact).values()), at)
        for late in fact.belated:
            if not late.local:
                await rounds.worked(session, row, late.round, jobs_of(late.member, fact.below.get(late.payload, ())))
        below = fact.sums.metrics
        await rounds.closed(
            session,
            row,
            fact.number,
            fact.closed.outcome,
            fact.closed.reason,
            at,
            model=self._models.get(fact.run) if fact.learnt else None,
            bytes_up=sum(up for up, _ in fact.traffic.values()) + below.get("bytes_up", 0),
            bytes_down=sum(down for _, down in fact.traffic.values()) + below.get("bytes_down", 0),
        )

    async def _row(self, session: Session, run: str) -> Run:
        found = self._rows.get(run) or await run_rows.find(session, self._tenant, run)
        if found is None:
            raise StoreFault(f"run {run} is not in the database")
        self._rows[run] = found
        return found


def _nobody(*_: object) -> None:
    """Hears nothing."""


def _about(fact: Fact) -> str:
    """Gives the run or the gateway that a fact is about."""
    assert not isinstance(fact, Given)
    return fact.gateway if isinstance(fact, GatewayTold) else fact.run


def fates_of(fact: RoundClosed) -> dict[tuple[str, str], Fate]:
    """Gives what became of every gateway and every device, as far as anybody has said."""
    found: dict[tuple[str, str], Fate] = {}
    told = {leaf.device: leaf for leaf in fact.sums.leaves}
    for gateway, seat in fact.seats.items():
        word, reason = fates.read(seat.fate)
        up, down = fact.traffic.get(gateway, (0, 0))
        waited = fact.answered_ms.get(gateway)
        seconds = None if waited is None else waited / 1000
        found[gateway, ""] = Fate(gateway, "", word, reason, up, down, seconds)
        for leaf in seat.each or ():
            found[gateway, leaf.device] = _device(gateway, leaf.device, seat, told.get(leaf.device), seconds)
    return found


def jobs_of(gateway: str, leaves: Iterable[Leaf]) -> list[Fate]:
    """Gives the jobs of devices whose updates are in a belated answer: what they took, and nothing else of their fates."""
    found = []
    for leaf in leaves:
        note = None if leaf.fate else notes.read(leaf.note, None)
        if note is not None:
            found.append(Fate(gateway, leaf.device, train_seconds=note.seconds, steps=note.steps))
    return found


def _device(gateway: str, device: str, seat: Seat, told: Leaf | None, waited: float | None) -> Fate:
    """Gives what became of a device: what its gateway says of it, or else what became of the gateway."""
    word, reason = fates.read(seat.fate if told is None else told.fate)
    if told is None:
        return Fate(gateway, device, "silent" if word == "answered" else word, reason)
    note = notes.read(told.note, waited) if word == "answered" else None
    job = (None, None) if note is None else (note.seconds, note.steps)
    return Fate(gateway, device, word, reason, train_seconds=job[0], steps=job[1])
