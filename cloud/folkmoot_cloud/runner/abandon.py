"""The end of a run that cannot be gone on with: what is left of it is closed in the record, all in one transaction."""

from datetime import datetime

from folkmoot.hop.upper import PREFIX
from folkmoot_cloud.contributions import repository as contributions
from folkmoot_cloud.database import Session
from folkmoot_cloud.journal import repository as entries
from folkmoot_cloud.rounds import progress as rounds
from folkmoot_cloud.rounds import repository as round_rows
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runs import progress as runs
from folkmoot_cloud.runs import repository as run_rows
from folkmoot_cloud.tables import Run


async def abandon(session: Session, tenant: str, run_id: str, reason: str, at: datetime) -> list[str]:
    """Ends a run as failed, and its open round as stopped, for the same reason. Raises NotFound.

    Gives the digests of large payloads that nothing refers to any more, as journal.repository.forget does.
    """
    run = await run_rows.locked(session, tenant, run_id)  # requests hold it too: none comes between what is read and written
    if run is not None:
        for number in await round_rows.open_ones(session, tenant, run_id):
            await _close(session, run, number, reason, at)
    await runs.finished(session, tenant, run_id, "failed", reason, at)
    orphans: set[str] = set()
    for machine in await entries.machines(session, tenant, f"{PREFIX}{run_id}/"):
        orphans.update(await entries.forget(session, tenant, machine))
    return sorted(orphans)


async def _close(session: Session, run: Run, number: int, reason: str, at: datetime) -> None:
    """Closes a round of which only the tables are left: nobody can say of whom it still waited for how far they had come."""
    for wish in await contributions.retractions(session, run.tenant, [run.id]):
        if wish.number == number:  # the answers go with the journal, whoever is in them; one that still comes is not to count
            homes = await round_rows.homes(session, run.tenant, run.id, number, wish.device)
            await rounds.retracted(session, run, number, wish.device, homes, None, at)
            await contributions.retracted(session, run.tenant, run.id, number, wish.device, at)
    members = await round_rows.everybody(session, run.tenant, run.id, number)
    silent = [Fate(one.gateway, one.device, "silent") for one in members if one.fate == "asked"]
    await rounds.told(session, run, number, silent, at)
    up = sum(one.bytes_up for one in members if not one.device)
    await rounds.closed(session, run, number, "stopped", reason, at, bytes_up=up)
