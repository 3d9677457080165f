"""Contributions that a device takes back from rounds that are open."""

from datetime import datetime

from folkmoot_cloud.contributions import repository
from folkmoot_cloud.contributions.schemas import RetractionsView, RetractionView
from folkmoot_cloud.database import Session, after_commit
from folkmoot_cloud.devices import service as devices
from folkmoot_cloud.engine import Engine
from folkmoot_cloud.faults import Conflict
from folkmoot_cloud.rounds import repository as rounds
from folkmoot_cloud.runs import repository as runs


async def retract(session: Session, engine: Engine, tenant: str, device: str, at: datetime) -> RetractionsView:
    """Takes a device out of every open round that has asked it; the runner does it, before the round closes.

    Raises NotFound for a device that nobody knows, and Conflict where no open round has asked it.
    """
    await devices.show(session, tenant, device)
    views = []
    for run_id, number in await rounds.asked(session, tenant, device):
        # Whoever closes the round holds the run, and looks at its retractions then: this one, or we see the round closed.
        await runs.locked(session, tenant, run_id)
        if (run_id, number) not in await rounds.asked(session, tenant, device):
            continue
        if await repository.retract(session, tenant, run_id, number, device, at):
            after_commit(session, lambda run_id=run_id: engine.notify(run_id))  # type: ignore[misc]
        views.append(RetractionView.model_validate(await repository.retraction(session, tenant, run_id, number, device)))
    if not views:
        raise Conflict(f"no open round has asked {device}: what closed rounds took from it is in their models, and stays there")
    return RetractionsView(device=device, rounds=views)
