"""Events as a stream: what has happened since, and then what happens, as long as somebody listens."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from folkmoot_cloud.database import Database
from folkmoot_cloud.events import repository
from folkmoot_cloud.events.schemas import EventView
from folkmoot_cloud.tables import Event

BATCH = 100  # events read at a time
# Seconds between two looks at the table where nothing rings: events of other replicas ring only there.
LOOK = 2.0


async def newest(database: Database, tenant: str) -> int:
    """Gives the number behind which everything is still to come."""
    async with database.read() as session:
        return await repository.last(session, tenant)


async def stream(
    database: Database, tenant: str, since: int, run_id: str | None = None, kinds: Sequence[str] = ()
) -> AsyncIterator[EventView]:
    """Gives the events behind `since`, and goes on with those that come. Ends when the service does."""
    while not database.bell.closed:
        ticket = database.bell.ticket()
        async with database.read() as session:
            found = await repository.after(session, tenant, since, BATCH, run_id, kinds)
        for event in found:
            since = event.sequence
            yield view(event)
        if not found:
            await _wait(ticket)


async def _wait(ticket: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK):
            await ticket.wait()
    except TimeoutError:
        return


def view(event: Event) -> EventView:
    """Gives what the API says about a row."""
    return EventView.model_construct(
        sequence=event.sequence, kind=event.kind, at=event.at, run=event.run_id, content=event.content
    )
