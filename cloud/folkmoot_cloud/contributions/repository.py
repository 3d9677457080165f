"""Queries about contributions: an answer counts once, whatever the network and our own crashes do, and may be taken back."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, select, update

from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.statements import insert_new
from folkmoot_cloud.tables import Contribution, Retraction


async def add(
    session: Session,
    tenant: str,
    *,
    ask: bytes,
    member: str,
    run_id: str,
    number: int,
    asked: int,
    local: int,
    factor: int,
    payload: bytes,
    size: int,
    leaves: int,
    at: datetime,
) -> bool:
    """Records that an answer was taken; says False where this member's answer to this Ask was taken before."""
    row = {
        "tenant": tenant,
        "ask": ask.hex(),
        "member": member,
        "run_id": run_id,
        "number": number,
        "asked": asked,
        "local": local,
        "factor": factor,
        "payload": payload.hex(),
        "size": size,
        "leaves": leaves,
        "at": at,
    }
    return await insert_new(session, Contribution, row)


async def of_round(session: ReadSession, tenant: str, run_id: str, number: int) -> list[Contribution]:
    """Gives the answers that were taken in a round, sorted by member."""
    wanted = select(Contribution).where(
        Contribution.tenant == tenant, Contribution.run_id == run_id, Contribution.number == number
    )
    return list(await session.scalars(wanted.order_by(Contribution.member, Contribution.ask)))


async def remove(session: Session, tenant: str, ask: bytes, member: str) -> None:
    """Takes back that an answer was taken: its member may answer the same Ask again."""
    mine = (Contribution.tenant == tenant) & (Contribution.ask == ask.hex()) & (Contribution.member == member)
    await session.execute(delete(Contribution).where(mine).execution_options(synchronize_session=False))


async def void(session: Session, tenant: str, ask: bytes, member: str) -> None:
    """Records that a belated answer counts nothing any more; it was taken all the same, and cannot come again."""
    mine = (Contribution.tenant == tenant) & (Contribution.ask == ask.hex()) & (Contribution.member == member)
    await session.execute(update(Contribution).where(mine).values(factor=0).execution_options(synchronize_session=False))


async def retract(session: Session, tenant: str, run_id: str, number: int, device: str, at: datetime) -> bool:
    """Stores that a device is to be out of a round; says False where that is stored."""
    row = {"tenant": tenant, "run_id": run_id, "number": number, "device": device, "requested_at": at, "done_at": None}
    return await insert_new(session, Retraction, row)


async def retraction(session: ReadSession, tenant: str, run_id: str, number: int, device: str) -> Retraction | None:
    """Gives what is known of a device's retraction from a round."""
    return await session.get(Retraction, (tenant, run_id, number, device))


async def retractions(session: ReadSession, tenant: str, runs: Sequence[str]) -> list[Retraction]:
    """Gives the retractions from rounds of these runs that are not done, oldest first."""
    wanted = select(Retraction).where(Retraction.tenant == tenant, Retraction.run_id.in_(runs), Retraction.done_at.is_(None))
    return list(await session.scalars(wanted.order_by(Retraction.requested_at, Retraction.run_id, Retraction.device)))


async def retracted(session: Session, tenant: str, run_id: str, number: int, device: str, at: datetime) -> None:
    """Stores that a retraction is done."""
    mine = (Retraction.tenant == tenant) & (Retraction.run_id == run_id) & (Retraction.number == number)
    waiting = mine & (Retraction.device == device) & Retraction.done_at.is_(None)
    await session.execute(update(Retraction).where(waiting).values(done_at=at).execution_options(synchronize_session=False))


async def belated(session: ReadSession, tenant: str, run_id: str, numbers: Collection[int]) -> list[Contribution]:
    """Gives the answers that counted in some rounds and were asked for in earlier ones, sorted by round, Ask and member."""
    wanted = select(Contribution).where(
        Contribution.tenant == tenant,
        Contribution.run_id == run_id,
        Contribution.number.in_(numbers),
        Contribution.asked != Contribution.number,
    )
    order = (Contribution.number, Contribution.asked, Contribution.local, Contribution.member)
    return list(await session.scalars(wanted.order_by(*order)))


async def asked_in(session: ReadSession, tenant: str, run_id: str, numbers: Collection[int]) -> list[Contribution]:
    """Gives the answers that were taken to the Asks of some rounds, in whichever round they count."""
    wanted = select(Contribution).where(
        Contribution.tenant == tenant, Contribution.run_id == run_id, Contribution.asked.in_(numbers)
    )
    return list(await session.scalars(wanted))
