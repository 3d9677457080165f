"""What the runner says about a run. Each function belongs into the transaction of what has led to it."""

from datetime import datetime

from folkmoot_cloud.database import Session
from folkmoot_cloud.events import repository as events
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.runs import repository
from folkmoot_cloud.runs.schemas import Outcome
from folkmoot_cloud.tables import Run


async def started(session: Session, tenant: str, run_id: str, at: datetime) -> Run:
    """A pending or paused run is running."""
    run = await _locked(session, tenant, run_id)
    if run.status != "running":
        kind = "run.resumed" if run.status == "paused" else "run.started"
        run.status, run.reason = "running", ""
        run.started_at = run.started_at or at
        events.append(session, tenant, kind, at, {"done": run.done, "rounds": run.rounds}, run_id)
    return run


async def paused(session: Session, tenant: str, run_id: str, at: datetime) -> Run:
    """A run has no open round and waits for an operator."""
    run = await _locked(session, tenant, run_id)
    if run.status != "paused":
        run.status = "paused"
        events.append(session, tenant, "run.paused", at, {"done": run.done, "rounds": run.rounds}, run_id)
    return run


async def waits(session: Session, tenant: str, run_id: str, reason: str) -> None:
    """A run goes on later, for the reason that is shown meanwhile ("fewer than 8 devices are up"); "" takes it back."""
    run = await _locked(session, tenant, run_id)
    run.reason = reason


async def finished(session: Session, tenant: str, run_id: str, outcome: Outcome, reason: str, at: datetime) -> bool:
    """A run is over; says False, and changes nothing, where it is not: an operator has just given it one more round.

    `reason` is one sentence; it may be empty for a run that completed.
    """
    run = await _locked(session, tenant, run_id)
    if outcome == "completed" and run.done < run.rounds:
        return False
    run.status, run.outcome, run.reason, run.finished_at = "finished", outcome, reason, at
    content = {"outcome": outcome, "reason": reason, "done": run.done, "model": run.model}
    events.append(session, tenant, "run.finished", at, content, run_id)
    return True


async def _locked(session: Session, tenant: str, run_id: str) -> Run:
    run = await repository.locked(session, tenant, run_id)
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run
