"""The service in this process: a socket, a server, and an orderly end."""

import asyncio
import errno
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from folkmoot.errors import StoreFault, UserFault
from folkmoot_cloud.app import create_app, open_database
from folkmoot_cloud.blobs.store import Folder
from folkmoot_cloud.engine import MakeEngine
from folkmoot_cloud.settings import Listen, Settings

# Seconds that open requests have to end. Streams of events end by themselves when the server begins to stop.
GRACE = 5


def serve(settings: Settings, make_engine: MakeEngine) -> None:
    """Serves until SIGINT or SIGTERM, then ends in order and returns.

    Raises UserFault before anything is served: the port is taken, the data folder or the database cannot be used.
    """
    listening = listen(settings.listen)
    try:
        asyncio.run(_serve(settings, make_engine, listening))
    finally:
        listening.close()


def listen(where: Listen) -> socket.socket:
    """Gives the socket that the API listens on. Raises UserFault where it cannot be had."""
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    try:
        return socket.create_server((where.host, where.port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserFault(f"port {where.port} of {where.host} is taken: stop what uses it, or set listen.port") from None
        raise UserFault(f"listen: {where.host}:{where.port} cannot be used: {error.strerror or error}") from None


async def prepare(settings: Settings) -> None:
    """Makes sure that everything local can be used, and brings the database to the newest form.

    Raises UserFault, one sentence each: before the server starts, because a server would print a traceback.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        Folder(settings.data / "blobs")
    except (OSError, StoreFault) as error:
        raise UserFault(f"data: the folder cannot be used: {getattr(error, 'strerror', None) or error}") from None
    try:
        database = await open_database(settings)
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise UserFault(f"database.url: the database cannot be used: {reason}") from None
    await database.close()


async def _serve(settings: Settings, make_engine: MakeEngine, listening: socket.socket) -> None:
    await prepare(settings)
    app = create_app(settings, make_engine)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=GRACE)
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    await server.serve(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves the signals to us: it would raise them again after the orderly end."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Does nothing."""
        yield
