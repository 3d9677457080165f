"""The application: what is opened when it starts, what answers, and what is closed when it ends."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta

from fastapi import FastAPI

import folkmoot
from folkmoot.errors import StoreFault, UserFault
from folkmoot_cloud import health, openapi, problems
from folkmoot_cloud.blobs.endpoints import router as blobs
from folkmoot_cloud.blobs.service import anchored
from folkmoot_cloud.blobs.store import BlobStore, Folder
from folkmoot_cloud.clock import now
from folkmoot_cloud.contributions.endpoints import router as contributions
from folkmoot_cloud.database import Database
from folkmoot_cloud.devices.endpoints import router as devices
from folkmoot_cloud.engine import Context, MakeEngine
from folkmoot_cloud.events import repository as event_rows
from folkmoot_cloud.events.endpoints import router as events
from folkmoot_cloud.faults import Fault, Forbidden, Invalid, TooLarge, Unauthorized, Unavailable
from folkmoot_cloud.gateways.endpoints import router as gateways
from folkmoot_cloud.idempotency import repository as stored_responses
from folkmoot_cloud.idempotency.service import HOURS
from folkmoot_cloud.limits import BodyLimit
from folkmoot_cloud.migrations import upgrade
from folkmoot_cloud.models.endpoints import router as models
from folkmoot_cloud.predictions.endpoints import router as predictions
from folkmoot_cloud.rounds.endpoints import router as rounds
from folkmoot_cloud.runs.endpoints import router as runs
from folkmoot_cloud.settings import Settings
from folkmoot_cloud.state import State
from folkmoot_cloud.tasks.endpoints import router as tasks
from folkmoot_cloud.tenants import repository as tenants
from folkmoot_cloud.tenants.endpoints import router as tenants_router
from folkmoot_cloud.tenants.service import MAIN
from folkmoot_cloud.tokens import service as tokens
from folkmoot_cloud.tokens.endpoints import router as tokens_router

log = logging.getLogger(__name__)

SWEEP = 3600.0  # seconds between two clearings of what is too old to be asked for
ABOUT = """
Federated learning over MQTT: upload a **task**, start a **run**, watch its **rounds**, use the **model**.

Send a token as `Authorization: Bearer fm_...`; the first start of the service prints one. Lists come a page at a time
(`limit`, `cursor`). Errors are RFC 9457 problems. A POST with an `Idempotency-Key` can be sent again safely for a day.
"""
FORM = 1 << 20  # bytes of a multipart form beside the file in it


def create_app(settings: Settings, make_engine: MakeEngine) -> FastAPI:
    """Gives the application. It opens nothing before it starts."""
    app = FastAPI(
        title="Folkmoot",
        version=folkmoot.__version__,
        description=ABOUT,
        redirect_slashes=False,
        lifespan=_lifespan(settings, make_engine),
        generate_unique_id_function=lambda route: route.name if route.name in _NAMED else f"{route.tags[0]}_{route.name}",
    )
    problems.install(app)
    app.add_middleware(BodyLimit, usual=settings.limits.request, uploads={"/v1/tasks": settings.limits.bundle + FORM})
    # What any request may end with: its body is looked at before anybody knows whether it is wanted.
    closed = problems.responses(Fault, Unauthorized, Forbidden, TooLarge, Invalid, Unavailable)
    for router in _ROUTERS:
        app.include_router(router, prefix="/v1", responses=closed)
    app.include_router(health.router)
    openapi.install(app)
    return app


_ROUTERS = (
    *(tenants_router, tasks, runs, predictions, rounds, models),
    *(gateways, devices, contributions, events, blobs, tokens_router),
)
_NAMED = ("healthz", "readyz")


def _lifespan(settings: Settings, make_engine: MakeEngine) -> Callable[[FastAPI], AbstractAsyncContextManager[State]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            blobs = open_blobs(settings)
            database = await open_database(settings, blobs)
            stack.push_async_callback(database.close)
            engine = make_engine(Context(settings, database, blobs))
            await engine.start()
            stack.push_async_callback(engine.stop)
            stack.callback(database.bell.close)
            sweeping = asyncio.create_task(_sweep(settings, database), name="sweep")
            stack.push_async_callback(_end, sweeping)
            yield State(settings=settings, database=database, blobs=blobs, engine=engine)

    return lifespan


def open_blobs(settings: Settings) -> BlobStore:
    """Gives the store of large blobs. Raises UserFault where the data folder cannot be used."""
    try:
        return Folder(settings.data / "blobs")
    except StoreFault as fault:
        raise UserFault(f"data: the folder cannot be used: {fault}") from None


async def open_database(settings: Settings, blobs: BlobStore) -> Database:
    """Gives the database, migrated, with the tenant `main` and at least one token that may make others.

    A token that is made here is printed on standard error: once, as nothing keeps it. Raises UserFault, also where `blobs` is
    not the store that the database's large blobs are in: each replica would then miss what the others took.
    """
    database = Database(settings.database_url)
    try:
        database.touch()
        await upgrade(database)
        async with database.write() as session:
            await tenants.ensure(session, MAIN, now())
            if not await anchored(session, blobs, MAIN, now()):
                raise UserFault(f"data: {settings.data} lacks the large blobs of this database: replicas share one folder")
            token = await tokens.bootstrap(session, MAIN, settings.tokens.bootstrap_file, now())
            if token is not None:
                print(f"API token, shown only once: {token}", file=sys.stderr, flush=True)
    except BaseException:
        await database.close()
        raise
    return database


async def _sweep(settings: Settings, database: Database) -> None:
    """Clears what is too old, now and every hour."""
    while True:
        try:
            async with database.write() as session:
                await stored_responses.forget(session, now() - timedelta(hours=HOURS))
                await event_rows.forget(session, now() - timedelta(days=settings.limits.events_days))
        except Exception as error:  # a database that is away now will be there in an hour; nothing waits for this
            log.warning("not cleared", extra={"error": str(error).partition("\n")[0]})
        await asyncio.sleep(SWEEP)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
