"""Predictions as operators see them: of a run that might be, and of one that was."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from folkmoot.errors import UserFault
from folkmoot_cloud.database import Database, ReadSession
from folkmoot_cloud.faults import Conflict, Fault, NotFound
from folkmoot_cloud.predictions import advice, repository
from folkmoot_cloud.predictions.aftermath import Account, settle
from folkmoot_cloud.predictions.comparison import compare
from folkmoot_cloud.predictions.forecast import forecast
from folkmoot_cloud.predictions.measured import Device, Effort, Fleet, Past, Power, Wish
from folkmoot_cloud.predictions.outlook import Forecast
from folkmoot_cloud.predictions.repository import Come, Found, Listed
from folkmoot_cloud.predictions.schemas import BasisView, BecomesView, ForeseenView, PredictionView, SoonerView, TakesView
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner.load import cohort, selector
from folkmoot_cloud.runs import service as runs
from folkmoot_cloud.runs.schemas import RunNew, TaskRef
from folkmoot_cloud.tables import Run, Task

log = logging.getLogger(__name__)

USUAL = Power()


async def predict(
    session: ReadSession,
    tenant: str,
    new: RunNew,
    at: datetime,
    power: Power = USUAL,
    seed: int = 0,
    *,
    sooner: bool = True,
) -> PredictionView:
    """Gives what a run would take that were started now; `sooner`: and what it would with shorter deadlines.

    Raises Invalid and UserFault as its creation would, and Conflict where nothing has been measured of its program yet, or
    where it would wait for ever.
    """
    task, run = await runs.make(session, tenant, new, at)
    found = await repository.rounds(session, tenant, task.program)
    if not found.rounds:
        raise _unmeasured(task)
    devices = await repository.devices(session, tenant, task.contract, at)
    gateways = await repository.gateways(session, tenant, at)
    # In a thread: it is half a second of work for a large fleet, and rounds go on meanwhile.
    return await asyncio.to_thread(lambda: _predict(task, run, found, devices, gateways, power, seed, sooner))


def _predict(
    task: Task,
    run: Run,
    found: Found,
    devices: Sequence[Listed],
    gateways: Sequence[Come],
    power: Power,
    seed: int,
    sooner: bool,
) -> PredictionView:
    fleet, wish = _fleet(task, found, devices, gateways), _wish(run, task)
    if not any(one.train_seconds is not None and one.steps for past in fleet.rounds for one in past.members):
        raise _unmeasured(task)
    said = forecast(fleet, wish, power, selector(), np.random.default_rng(seed), sooner=sooner)
    if said is None:
        raise Conflict(
            f"the run would wait: of {len(fleet.devices)} devices with its kind of data, there are never {wish.minimum} at "
            "once that it may ask: lower min_answers, or widen the cohort"
        )
    shown = _view(said, task, wish, power, seed, sooner=sooner)
    unknown = advice.unknown(
        late_counts=run.offline is not None and run.buffer is None,
        asynchronous=run.buffer is not None,
        other_bytes=any(past.transform != run.transform for _, past, _ in found.rounds),
    )
    return shown.model_copy(update={"notes": [*shown.notes, *unknown]})


def _unmeasured(task: Task) -> Conflict:
    return Conflict(
        f"nothing has been measured of task {task.name} {task.version} in this fleet yet: "
        f"run one round of it first (folkmoot run start --task {task.name} --rounds 1), then ask again"
    )


async def foresee(database: Database, tenant: str, new: RunNew, at: datetime) -> dict[str, Any] | None:
    """Gives what is stored with a run that is about to be created; None where nothing can be said.

    What is wrong with the run, its creation says.
    """
    try:
        async with database.read() as session:
            return (await predict(session, tenant, new, at, sooner=False)).model_dump(mode="json")
    except (Fault, UserFault):
        return None
    except Exception:  # a bug of ours is no reason not to start the run
        log.exception("no prediction for a run that is started")
        return None


async def of_run(session: ReadSession, tenant: str, run_id: str) -> ForeseenView:
    """Gives what a run was predicted to take, beside what it has taken. Raises NotFound."""
    run = await repository.run(session, tenant, run_id)
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    if run.prediction is None:
        return ForeseenView(predicted=None, compared=[])
    predicted = PredictionView.model_validate(run.prediction)
    seconds = None
    if run.status == "finished" and run.done == predicted.rounds and run.started_at and run.finished_at:
        seconds = (run.finished_at - run.started_at).total_seconds()
    rounds = await repository.taken(session, tenant, run_id)
    return ForeseenView(predicted=predicted, compared=compare(predicted, rounds, seconds))


def _fleet(task: Task, found: Found, devices: Sequence[Listed], gateways: Sequence[Come]) -> Fleet:
    return Fleet(
        devices=[Device(one[0], one[1], one[2], _share(one[6], one[7], one[8])) for one in devices],
        homes={name: _share(up, there, gone) for name, up, there, gone in gateways},
        kinds={one[0]: one[3:6] for one in devices},
        rounds=_rounds(task, found),
        complete=found.complete,
        program=task.program_size,
    )


def _rounds(task: Task, found: Found) -> list[Past]:
    accounts = [
        Account(
            run=one.run_id,
            began=one.started_at.timestamp(),
            over=(one.closed_at or one.started_at).timestamp(),
            members=[Fate(*fields) for fields in members],
            late=found.late.get((one.run_id, one.number), {}),
        )
        for one, _, members in found.rounds
    ]
    return [
        Past(
            deadline=run.deadline_seconds,
            seconds=account.over - account.began,
            effort=_effort(run, task),
            bytes_up=one.bytes_up + sum(late.size for late in account.late.values()),
            bytes_down=one.bytes_down,
            members=account.members if run.buffer is None else settled,
        )
        for (one, run, _), account, settled in zip(found.rounds, accounts, settle(accounts), strict=True)
    ]


def _share(up: bool, there: int, gone: int) -> float:
    """Gives in which share of the time somebody could be asked; before anything is known, it is as it is now."""
    return there / (there + gone) if there + gone else float(up)


def _effort(run: Run, task: Task) -> Effort:
    return Effort(run.plan["epochs"], run.plan["steps"], run.plan["max_examples"], task.manifest["batch"])


def _wish(run: Run, task: Task) -> Wish:
    return Wish(
        rounds=run.rounds,
        effort=_effort(run, task),
        cohort=cohort(run),
        minimum=run.min_answers,
        deadline=run.deadline_seconds,
        over_selection=run.over_selection,
        most=run.precision["total"] // run.precision["cap"],
        evaluate=run.evaluate,
        buffer=run.buffer or 0,
        staleness=run.offline["staleness"] if run.offline is not None else 0,
    )


def _view(found: Forecast, task: Task, wish: Wish, power: Power, seed: int, *, sooner: bool) -> PredictionView:
    return PredictionView(
        task=TaskRef.model_validate(task),
        rounds=wish.rounds,
        round=TakesView.model_validate(found.round),
        run=TakesView.model_validate(found.run),
        devices=BecomesView.model_validate(found.devices),
        short=found.short,
        waiting=found.waiting,
        deadlines=[SoonerView.model_validate(one) for one in found.deadlines],
        advice=advice.advice(found.deadlines, wish.minimum) if sooner and not wish.buffer else None,
        basis=BasisView.model_validate(found.basis),
        watts=power.watts,
        joules_per_mb=power.joules_per_mb,
        seed=seed,
        notes=advice.notes(found, power),
    )
