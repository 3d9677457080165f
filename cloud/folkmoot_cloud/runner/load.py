"""A run as the database has it, made into a campaign that can go on."""

from collections.abc import Sequence

import msgspec

from folkmoot import arrays, plugins
from folkmoot.clock import gap
from folkmoot.errors import StoreFault
from folkmoot.hop import events, round
from folkmoot.hop.open_round import History, Open
from folkmoot.hop.upper import PREFIX
from folkmoot.selector import Selector
from folkmoot.serve.sums import Sums
from folkmoot.store.ledger import EVENT_LIMIT, SCHEMA
from folkmoot.strategy import Model as Weights
from folkmoot.wire import bundle, codec
from folkmoot.wire.messages import Offline, Plan
from folkmoot_cloud.blobs import repository as blobs
from folkmoot_cloud.columns import milliseconds
from folkmoot_cloud.contributions import repository as contributions
from folkmoot_cloud.database import ReadSession
from folkmoot_cloud.engine import Context
from folkmoot_cloud.journal import repository as entries
from folkmoot_cloud.journal.repository import Record
from folkmoot_cloud.models import repository as models
from folkmoot_cloud.rounds import repository as rounds
from folkmoot_cloud.runner import state
from folkmoot_cloud.runner.campaign import Campaign, Cohort, Spec
from folkmoot_cloud.runner.node import Enter
from folkmoot_cloud.runner.past import Kept, Past
from folkmoot_cloud.runner.retraction import Retract
from folkmoot_cloud.tables import Run


class Lost(StoreFault):
    """Something of a run is gone from the database, or from a newer program."""


async def enter(session: ReadSession, context: Context, run: Run, now: int) -> Enter:
    """Gives the run's campaign, with the journal and the kept answers of its open round, in the time whose present is `now`.

    Raises Lost where something of it is gone, or from a newer program; UserFault where this program lacks a plug-in.
    """
    spec = specify(run, await _blob(session, context, run.tenant, run.task.program))
    model = await models.find(session, run.tenant, run.model or run.base_model)
    if model is None:
        raise Lost(f"model {run.model or run.base_model} is not in the database")
    block = await _blob(session, context, run.tenant, model.model_sha256)
    moments = await _blob(session, context, run.tenant, model.state) if model.state is not None and run.model else None
    evaluated = await rounds.newest_evaluated(session, run.tenant, run.id)
    campaign = Campaign(
        spec=spec,
        model=Weights(arrays.unpack(spec.manifest.layout, block), state.load(moments)),
        block=block,
        version=model.version if run.model else 0,
        number=run.done,
        rounds=run.rounds,
        desired=run.desired,  # type: ignore[arg-type]
        evaluated=evaluated,
    )
    if spec.offline is not None:
        campaign.past = await past(session, run, campaign.version - spec.offline.staleness, now)
    return await _under_way(session, context, run, campaign, now)


def specify(run: Run, program: bytes) -> Spec:
    """Gives what a run is to do, with the program of its task. Raises UserFault where this program lacks a plug-in."""
    precision = run.precision
    return Spec(
        run=run.id,
        program=program,
        manifest=bundle.program(program).manifest,
        strategy=plugins.load("strategies", run.strategy["name"], run.strategy["options"]),
        strategy_name=run.strategy["name"],
        options=run.strategy["options"],
        selector=selector(),
        cohort=cohort(run),
        plan=msgspec.convert(run.plan, Plan),
        minimum=run.min_answers,
        deadline=int(run.deadline_seconds * 1000),
        over_selection=run.over_selection,
        evaluate=run.evaluate,
        scale=precision["scale"],
        bound=precision["bound"],
        cap=precision["cap"],
        total=precision["total"],
        secret=run.secret,
        offline=None if run.offline is None else msgspec.convert(run.offline, Offline),
        buffer=run.buffer or 0,
        transform=run.transform,
    )


def cohort(run: Run) -> Cohort:
    """Gives whom a run may ask."""
    devices = run.cohort.get("devices")
    listed = devices if isinstance(devices, list) else None
    gateways = run.cohort.get("gateways")
    return Cohort(
        devices=None if listed is not None else devices,
        fraction=run.cohort.get("fraction"),
        gateways=frozenset(gateways) if gateways else None,
        listed=frozenset(listed) if listed is not None else None,
    )


def selector() -> Selector:
    """Gives the policy by which rounds choose whom to ask: there is one so far."""
    chosen: Selector = plugins.load("selectors", "uniform", {})
    return chosen


async def past(session: ReadSession, run: Run, oldest: int, now: int) -> Past:
    """Gives the rounds whose answers could still count: those that started from version `oldest` or a newer one.

    `now`: ms of the timeline.
    """
    wall, left = await entries.wall(session), int(run.deadline_seconds * 1000)
    base = await models.find(session, run.tenant, run.base_model)
    if base is None:
        raise Lost(f"model {run.base_model} is not in the database")
    digests = {**await models.digests(session, run.tenant, run.id), 0: base.model_sha256}
    closed = await rounds.closed_since(session, run.tenant, run.id, oldest)
    counted: dict[int, set[bytes]] = {one.number: set() for one in closed}
    for row in await contributions.asked_in(session, run.tenant, run.id, list(counted)):
        counted[row.asked].add(bytes.fromhex(row.ask))
    kept: dict[int, Kept] = {}
    for one in closed:
        homes: dict[str, set[str]] = {}
        cut = set()
        for member in await rounds.invited(session, run.tenant, run.id, one.number):
            devices = homes.setdefault(member.gateway, set())
            if member.fate == "retracted":
                cut.add(member.gateway)
            elif member.device:
                devices.add(member.device)
        kept[one.number] = Kept(
            base=one.base_version,
            weights=bytes.fromhex(digests[one.base_version]),
            asked={gateway: frozenset(devices) for gateway, devices in homes.items()},
            counted=frozenset(counted[one.number]),
            until=now + min(left, milliseconds(one.started_at) + left - wall),  # a clock that was wrong may only free homes
            cut=frozenset(cut),
        )
    return Past(kept)


async def _under_way(session: ReadSession, context: Context, run: Run, campaign: Campaign, now: int) -> Enter:
    """Gives the campaign with the round that was open when its last holder stopped.

    The round's own time stood still since its last event; how long ago that was, the clock says that all replicas share.
    """
    keys = await entries.machines(session, run.tenant, f"{PREFIX}{run.id}/")
    if not keys:
        return Enter(campaign)
    key = keys[-1]
    records = (await entries.read(session, run.tenant, key)).events
    last = records[-1]
    ahead = now - last.now_ms - gap(last.wall_ms, await entries.wall(session))
    history = [(record.now_ms + ahead, _moved(_event(key, record), ahead)) for record in records]
    kept: dict[bytes, bytes] = {}
    machine = round.Round()
    for now, event in history:
        machine.handle(event, now)
    for merge in machine.merged:
        content = await entries.kept(session, context.blobs, run.tenant, key, merge.payload.hex())
        if content is not None:
            kept[merge.payload] = content
    _try(campaign, key, history, kept)
    return Enter(campaign, history, kept.get, ahead, tuple(await retractions(session, context, run.tenant, [run.id])))


def _try(campaign: Campaign, key: str, history: History, kept: dict[bytes, bytes]) -> None:
    """Rebuilds the round once for nothing: where that fails in a step of the node, every run of this cloud ends with it."""
    opened = history[0][1]
    assert isinstance(opened, events.Opened)
    sums = Sums(opened.ask, campaign.spec.manifest.layout)
    try:
        Open(key, round.Round(), sums, campaign.blobs, "").rebuild(history, kept.get)
    except StoreFault as fault:
        raise Lost(str(fault)) from None


async def retractions(session: ReadSession, context: Context, tenant: str, runs: Sequence[str]) -> list[Retract]:
    """Gives what is to be taken out of the open rounds of these runs, with the answers that it may be in."""
    found = []
    for row in await contributions.retractions(session, tenant, runs):
        homes: dict[int, list[str]] = {}
        answers = [answer for answer in await contributions.of_round(session, tenant, row.run_id, row.number) if answer.factor]
        for number in {answer.asked for answer in answers}:
            homes[number] = await rounds.homes(session, tenant, row.run_id, number, row.device)
        key = f"{PREFIX}{row.run_id}/{row.number}/train"
        kept = {
            bytes.fromhex(answer.payload): await entries.kept(session, context.blobs, tenant, key, answer.payload)
            for answer in answers
            if answer.member in homes[answer.asked]
        }
        if None not in kept.values():  # otherwise the round has moved on since the first query: the next look finds out
            found.append(Retract(row.run_id, row.number, row.device, kept.get))
    return found


def _moved(event: events.Event, ahead: int) -> events.Event:
    """Gives the event as a time has it that is so many ms ahead."""
    if not isinstance(event, events.Opened):
        return event
    terms = msgspec.structs.replace(event.terms, deadline=event.terms.deadline + ahead)
    return msgspec.structs.replace(event, terms=terms)


def _event(key: str, record: Record) -> events.Event:
    schema, event = record.content[0], record.content[1:]
    if schema > SCHEMA:
        raise Lost(f"{key} was journalled by a newer program (schema {schema}, this one knows {SCHEMA})")
    return codec.load(event, events.Event, limit=EVENT_LIMIT)  # type: ignore[arg-type]


async def _blob(session: ReadSession, context: Context, tenant: str, digest: str) -> bytes:
    found = await blobs.get(session, context.blobs, tenant, digest)
    if found is None:
        raise Lost(f"the blob {digest} is not in the database")
    return found
