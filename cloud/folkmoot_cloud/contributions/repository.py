"""Queries about contributions: an answer counts once, whatever the network and our own crashes do."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.statements import insert_new
from folkmoot_cloud.tables import Contribution


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
