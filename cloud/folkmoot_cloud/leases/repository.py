"""Queries about leases: at most one replica runs a run, and one that lost it can commit nothing about it.

Every replica's clock decides by itself when a lease is over, so clocks must agree to within a fraction of the lease's length;
where they do not, `hold` still keeps the one that was overtaken from writing.
"""

from datetime import datetime, timedelta

from sqlalchemy import update

from folkmoot_cloud.columns import moment
from folkmoot_cloud.database import Session
from folkmoot_cloud.statements import insert_new
from folkmoot_cloud.tables import Lease


async def take(session: Session, tenant: str, run_id: str, owner: str, at: datetime, seconds: float) -> int | None:
    """Takes the lease where nobody holds it; gives its token, or None where another replica has it.

    A replica that comes back under the same name takes its own lease again at once. Every taking has a new token.
    """
    until = at + timedelta(seconds=seconds)
    row = {"tenant": tenant, "run_id": run_id, "owner": owner, "token": 1, "until": until}
    if await insert_new(session, Lease, row):
        return 1
    free = (Lease.owner == owner) | (Lease.until <= at)
    taken = (
        update(Lease)
        .where(Lease.tenant == tenant, Lease.run_id == run_id, free)
        .values(owner=owner, token=Lease.token + 1, until=until)
        .returning(Lease.token)
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(taken)).scalar_one_or_none()


async def hold(session: Session, tenant: str, run_id: str, token: int, at: datetime, seconds: float) -> bool:
    """Renews the lease, and keeps everybody else from taking it until the commit; False where it is lost.

    First thing in every transaction about the run: on False, roll back and drop the run. Also a lease that is over is renewed
    where nobody has taken it meanwhile.
    """
    mine = (Lease.tenant == tenant) & (Lease.run_id == run_id) & (Lease.token == token)
    renewed = update(Lease).where(mine).values(until=at + timedelta(seconds=seconds)).returning(Lease.token)
    found = await session.execute(renewed.execution_options(synchronize_session=False))
    return found.scalar_one_or_none() is not None


async def release(session: Session, tenant: str, run_id: str, token: int) -> None:
    """Gives the lease back, so that another replica need not wait; does nothing where it is lost."""
    mine = (Lease.tenant == tenant) & (Lease.run_id == run_id) & (Lease.token == token)
    # The row stays, so that tokens go on growing.
    await session.execute(update(Lease).where(mine).values(owner="", until=moment(0)))
