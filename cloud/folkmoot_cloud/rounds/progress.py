"""What the runner says about a round. Each function belongs into the transaction of what has led to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from folkmoot.hop.events import Belated
from folkmoot.parts import WHOLE
from folkmoot_cloud.database import Session
from folkmoot_cloud.events import repository as events
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.rounds import repository
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runs import repository as runs
from folkmoot_cloud.tables import Round, Run

Outcome = Literal["complete", "short", "stopped"]


async def opened(session: Session, run: Run, number: int, base_version: int, asked: Sequence[Fate], at: datetime) -> Round:
    """A round begins: `asked` names its gateways and the devices below them. A second call for the same is an error."""
    found = Round(
        tenant=run.tenant,
        run_id=run.id,
        number=number,
        status="open",
        outcome=None,
        reason="",
        base_version=base_version,
        model=None,
        bytes_up=0,
        bytes_down=0,
        started_at=at,
        closed_at=None,
    )
    await repository.add(session, found)
    await repository.tell(session, run.tenant, run.id, number, asked)
    content = {"round": number, "rounds": run.rounds, **_numbers(asked)}
    events.append(session, run.tenant, "round.opened", at, content, run.id)
    return found


async def told(session: Session, run: Run, number: int, fates: Sequence[Fate], at: datetime) -> None:
    """It is known what became of some members."""
    await repository.tell(session, run.tenant, run.id, number, fates)
    for one in fates:
        if one.device == "":
            content = {"round": number, "gateway": one.gateway, "fate": one.fate, "reason": one.reason, "bytes": one.bytes_up}
            events.append(session, run.tenant, "round.answered", at, content, run.id)


async def retracted(
    session: Session, run: Run, number: int, device: str, gateways: Sequence[str], undone: str | None, at: datetime
) -> None:
    """A device is out of a round below these gateways; the answer of `undone` was taken out, and a new one is waited for."""
    fates = [Fate(gateway, device, "retracted") for gateway in gateways]
    await repository.tell(session, run.tenant, run.id, number, [*fates, *([] if undone is None else [Fate(undone)])])
    content = {"round": number, "device": device, "gateways": list(gateways), "answered": undone is not None}
    events.append(session, run.tenant, "round.retracted", at, content, run.id)


async def worked(session: Session, run: Run, number: int, jobs: Sequence[Fate]) -> None:
    """An answer that counts in a later round says what jobs took that this round has asked for. Their fates in it stand."""
    await repository.worked(session, run.tenant, run.id, number, jobs)


def belated(session: Session, run: Run, number: int, answer: Belated, size: int, at: datetime) -> None:
    """An answer to the Ask of an earlier round counts in this one."""
    content = {
        "round": number,
        "gateway": answer.member,
        "asked": answer.round,
        "local": answer.local,
        "factor": answer.factor / WHOLE,
        "bytes": size,
    }
    events.append(session, run.tenant, "round.belated", at, content, run.id)


def refused(session: Session, run: Run, number: int, gateway: str, local: int, reason: str, at: datetime) -> None:
    """An answer that came when the round was over does not count in any."""
    content = {"round": number, "gateway": gateway, "local": local, "reason": reason}
    events.append(session, run.tenant, "round.refused", at, content, run.id)


async def closed(
    session: Session,
    run: Run,
    number: int,
    outcome: Outcome,
    reason: str,
    at: datetime,
    *,
    model: str | None = None,
    bytes_up: int = 0,
    bytes_down: int = 0,
) -> None:
    """A round is over; `model` is the version that it made. The run is at this round now. Raises NotFound."""
    held = await runs.locked(session, run.tenant, run.id)
    began = await repository.close(
        session,
        run.tenant,
        run.id,
        number,
        outcome=outcome,
        reason=reason,
        closed_at=at,
        model=model,
        bytes_up=bytes_up,
        bytes_down=bytes_down,
    )
    if began is None or held is None:
        raise NotFound(f"there is no round {number} of a run {run.id}")
    held.done, held.model = number, model or held.model
    held.bytes_up += bytes_up
    held.bytes_down += bytes_down
    content = {
        "round": number,
        "rounds": held.rounds,
        "outcome": outcome,
        "reason": reason,
        "model": model,
        "bytes_up": bytes_up,
        "bytes_down": bytes_down,
        "seconds": (at - began).total_seconds(),
    }
    events.append(session, run.tenant, "round.closed", at, content, run.id)


async def evaluated(
    session: Session,
    run: Run,
    version: int,
    at: datetime,
    *,
    loss: float | None,
    accuracy: float | None,
    examples: int,
    members: int,
) -> None:
    """It is known how good a version is on the hold-outs of `members` devices; version 0 is the run's base model."""
    await repository.evaluate(
        session, run.tenant, run.id, version, loss=loss, accuracy=accuracy, examples=examples, members=members, at=at
    )
    content = {"version": version, "loss": loss, "accuracy": accuracy, "examples": examples, "members": members}
    events.append(session, run.tenant, "model.evaluated", at, content, run.id)


def _numbers(asked: Sequence[Fate]) -> dict[str, int]:
    homes = sum(one.device == "" for one in asked)
    return {"gateways": homes, "devices": len(asked) - homes}
