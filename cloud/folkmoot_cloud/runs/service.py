"""Runs as operators see them: checked when they are created, and then only told what is wanted of them.

What an operator wants (`desired`, `rounds`) and how far the runner is (`status`, `done`) are separate columns with one writer
each, but for a finished run, which nobody runs and which an operator's wish for one more round takes up again.
"""

import secrets
from datetime import datetime
from math import ceil
from typing import Any

import msgspec

from folkmoot import ids, plugins
from folkmoot.parts import check_scale
from folkmoot.wire.messages import Plan
from folkmoot_cloud.database import ReadSession, Session, after_commit
from folkmoot_cloud.devices import repository as devices
from folkmoot_cloud.engine import Engine
from folkmoot_cloud.events import repository as events
from folkmoot_cloud.faults import Conflict, Invalid, NotFound
from folkmoot_cloud.gateways import repository as gateways
from folkmoot_cloud.models import repository as models
from folkmoot_cloud.models.schemas import EvaluationView
from folkmoot_cloud.pages import Page, Rows
from folkmoot_cloud.runs import repository
from folkmoot_cloud.runs.schemas import Cohort, Desired, Offline, RunNew, RunView
from folkmoot_cloud.tables import Model, Run, Task
from folkmoot_cloud.tasks import repository as tasks


async def create(
    session: Session, engine: Engine, tenant: str, new: RunNew, at: datetime, prediction: dict[str, Any] | None = None
) -> RunView:
    """Starts a run; `prediction` is what it is going to take (folkmoot_cloud.predictions). Raises as `make` does."""
    task, run = await make(session, tenant, new, at)
    run.prediction = prediction
    await repository.add(session, run)
    events.append(session, tenant, "run.created", at, {"name": run.name, "task": task.id, "rounds": run.rounds}, run.id)
    after_commit(session, lambda: engine.notify(run.id))
    return await show(session, tenant, run.id)


async def make(session: ReadSession, tenant: str, new: RunNew, at: datetime) -> tuple[Task, Run]:
    """Gives a run as it would be stored, with its task; nothing is stored.

    Raises Invalid or UserFault for what can never hold: an unknown task, strategy or option, sums that could overflow, a
    cohort that cannot be.
    """
    task = await tasks.find(session, tenant, new.task, whole=True)
    if task is None:
        raise Invalid(f"there is no task {new.task!r}: upload its bundle first, or see GET /v1/tasks")
    check_scale(new.precision.scale, new.precision.bound, new.precision.total)
    await _check_cohort(session, tenant, new)
    return task, row(tenant, new, task, await _base(session, tenant, task, new), at)


async def show(session: ReadSession, tenant: str, run_id: str) -> RunView:
    """Gives a run, and how good its models were. Raises NotFound."""
    run = await repository.find(session, tenant, run_id)
    if run is None:
        raise _unknown(run_id)
    return (await _views(session, tenant, [run]))[0]


async def views(session: ReadSession, tenant: str, runs: Rows[Run]) -> Page[RunView]:
    """Gives the runs of a page, and how good their models were."""
    return Page(items=await _views(session, tenant, runs.items), next=runs.next)


async def want(session: Session, engine: Engine, tenant: str, run_id: str, desired: Desired, at: datetime) -> RunView:
    """Says what is wanted of a run; the runner follows.

    Raises NotFound, and Conflict for a run that is finished or being stopped.
    """
    run = await repository.locked(session, tenant, run_id)
    if run is None:
        raise _unknown(run_id)
    if run.status == "finished":
        raise Conflict(f"the run is finished ({run.outcome}): start another one, or launch one more round")
    if run.desired == "stop" and desired != "stop":
        raise Conflict("the run is being stopped: wait until it is finished")
    if run.desired != desired:
        run.desired = desired
        _tell(session, engine, run, at)
    return await show(session, tenant, run_id)


async def launch_round(session: Session, engine: Engine, tenant: str, run_id: str, at: datetime) -> tuple[RunView, int]:
    """Gives a run one more round, and takes it up again where it was finished; says the number of that round.

    A run that was stopped or failed before its last round gets the next one only, not all that were left.

    Raises NotFound, and Conflict for a run that is being stopped.
    """
    run = await repository.locked(session, tenant, run_id)
    if run is None:
        raise _unknown(run_id)
    if run.status != "finished" and run.desired == "stop":
        raise Conflict("the run is being stopped: wait until it is finished")
    if run.status == "finished":
        run.rounds = run.done + 1
        run.status, run.desired, run.outcome, run.reason, run.finished_at = "pending", "run", None, "", None
    else:
        run.rounds += 1
    _tell(session, engine, run, at)
    return await show(session, tenant, run_id), run.rounds


def _tell(session: Session, engine: Engine, run: Run, at: datetime) -> None:
    content = {"desired": run.desired, "rounds": run.rounds}
    events.append(session, run.tenant, "run.changed", at, content, run.id)
    run_id = run.id
    after_commit(session, lambda: engine.notify(run_id))


def _unknown(run_id: str) -> NotFound:
    return NotFound(f"there is no run {run_id}")


async def _views(session: ReadSession, tenant: str, runs: list[Run]) -> list[RunView]:
    known = await repository.evaluations(session, tenant, [run.id for run in runs])
    found = []
    for run in runs:
        view = RunView.model_validate({name: getattr(run, name, None) for name in RunView.model_fields})
        for newest, name in ((False, "before"), (True, "after")):
            if (evaluation := known.get((run.id, newest))) is not None:
                setattr(view, name, EvaluationView.model_validate(evaluation))
        found.append(view)
    return found


async def _check_cohort(session: ReadSession, tenant: str, new: RunNew) -> None:
    """Refuses what can never hold. Devices that are not there yet may still come, so their number is no reason."""
    cohort, size = new.cohort, new.cohort.size
    if size is not None and new.min_answers > size:
        raise Invalid(f"min_answers is {new.min_answers}, but the cohort has {size} devices: lower it, or widen the cohort")
    for what, wanted, known in (
        ("gateway", cohort.gateways, gateways.known),
        ("device", cohort.devices if isinstance(cohort.devices, list) else None, devices.known),
    ):
        missing = sorted(set(wanted) - await known(session, tenant, wanted)) if wanted is not None else []
        if missing:
            raise Invalid(f"{what} {', '.join(missing[:5])} is not known: see GET /v1/{what}s for those that have come up")
    check_total(cohort, new)


def check_total(cohort: Cohort, new: RunNew) -> None:
    """Refuses a cohort whose weights could pass the total: then acceptance would depend on who answers first."""
    if cohort.size is None:
        return
    most = ceil(cohort.size * new.over_selection) * new.precision.cap
    if most > new.precision.total:
        raise Invalid(
            f"{cohort.size} devices of weight up to {new.precision.cap} (precision.cap) can weigh {most} together, more than "
            f"precision.total, {new.precision.total}: lower the cap, or raise the total and lower the scale"
        )


async def _base(session: ReadSession, tenant: str, task: Task, new: RunNew) -> Model:
    if new.start_from is None:
        return await models.initial(session, tenant, task.id)
    model = await models.find(session, tenant, new.start_from)
    if model is None:
        raise Invalid(f"there is no model {new.start_from!r} to start from: see GET /v1/models")
    if model.task_id != task.id:
        raise Invalid(f"model {model.id} is of task {model.task_id}, not of {task.id}: start from one of the same task")
    return model


def row(tenant: str, new: RunNew, task: Task, base: Model, at: datetime) -> Run:
    """Gives a run as it is stored at first. Raises Invalid where its plan does not fit the task, UserFault for a plug-in."""
    plugins.load("strategies", new.strategy.name, new.strategy.options)
    if new.transform is not None:
        plugins.load("transforms", new.transform)
    plan = msgspec.convert({**task.manifest.get("plan", {}), **new.plan.model_dump(exclude_none=True)}, Plan)
    trained = task.manifest.get("trained", [])
    if unknown := set(plan.only) - set(trained):
        raise Invalid(
            f"task {task.name} does not train {', '.join(sorted(unknown))}: plan.only takes some of {', '.join(trained)}"
        )
    return Run(
        tenant=tenant,
        id=ids.text(ids.fresh()),
        name=new.name or task.name,
        task_id=task.id,
        desired="run",
        strategy=new.strategy.model_dump(),
        cohort=new.cohort.model_dump(exclude_none=True),
        rounds=new.rounds,
        plan={name: getattr(plan, name) for name in plan.__struct_fields__},
        min_answers=new.min_answers,
        deadline_seconds=new.deadline_seconds,
        over_selection=new.over_selection,
        evaluate=new.evaluate,
        precision=new.precision.model_dump(),
        offline=_offline(new.offline),
        buffer=new.buffer,
        transform=new.transform,
        base_model=base.id,
        secret=secrets.token_hex(16),
        created_at=at,
        status="pending",
        outcome=None,
        reason="",
        done=0,
        model=None,
        bytes_up=0,
        bytes_down=0,
        started_at=None,
        finished_at=None,
    )


def _offline(policy: Offline | None) -> dict[str, Any] | None:
    """Gives the policy as an Ask says it."""
    if policy is None:
        return None
    return {**policy.model_dump(exclude={"hours"}), "seconds": round(policy.hours * 3600)}
