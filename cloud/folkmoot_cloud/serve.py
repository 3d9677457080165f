"""The service in this process: a socket, a server, and an orderly end."""

import asyncio
import errno
import fcntl
import logging
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from folkmoot.errors import StoreFault, UserFault
from folkmoot.flight import recorder
from folkmoot.serve.lives import Room
from folkmoot_cloud.app import create_app, open_blobs, open_database
from folkmoot_cloud.database import url_of
from folkmoot_cloud.engine import MakeEngine
from folkmoot_cloud.settings import Listen, Settings
from folkmoot_cloud.shortage import shortage

log = logging.getLogger(__name__)

# Seconds that open requests have to end. Streams of events end by themselves when the server begins to stop.
GRACE = 5


def serve(settings: Settings, make_engine: MakeEngine) -> None:
    """Serves until SIGINT or SIGTERM, then ends in order and returns.

    Raises UserFault before anything is served: the port is taken, the data folder or the database cannot be used.
    """
    with alone(settings), listen(settings.listen) as listening:
        asyncio.run(_serve(settings, make_engine, listening))


@contextmanager
def alone(settings: Settings) -> Generator[None, None, None]:
    """Keeps every other process off the data folder, where the database is SQLite: that has one service.

    Raises UserFault where one is there, or the folder cannot be used. However this process ends, the folder is free again.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        lock = (settings.data / "lock").open("w")
    except OSError as error:
        raise UserFault(f"data: {settings.data} cannot be used: {error.strerror}") from None
    with lock:
        if url_of(settings.database_url).drivername.startswith("sqlite"):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserFault(f"data: another cloud runs on {settings.data}: stop it, or set another folder") from None
        yield


def listen(where: Listen) -> socket.socket:
    """Gives the socket that the API listens on. Raises UserFault where it cannot be had."""
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    try:
        return socket.create_server((where.host, where.port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserFault(f"port {where.port} of {where.host} is taken: stop what uses it, or set listen.port") from None
        raise UserFault(f"listen: {where.host}:{where.port} cannot be used: {error.strerror or error}") from None


async def prepare(settings: Settings, until: asyncio.Event) -> None:
    """Makes sure that everything local can be used, and brings the database to the newest form.

    Where the disk is full, it waits until there is room, or `until` is set: SQLite cannot even read there. Raises UserFault,
    one sentence each: before the server starts, because a server would print a traceback.
    """
    recorder.check(settings.record)
    room = Room(settings.data)
    while not until.is_set():
        try:
            database = await open_database(settings, open_blobs(settings))
        except (SQLAlchemyError, StoreFault, OSError) as error:
            fault = shortage(error, settings.data)
            if fault is None:
                reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
                raise UserFault(f"database.url: the database cannot be used: {reason}") from None
            await room.wait(fault, until)
        else:
            await database.close()
            return


async def _serve(settings: Settings, make_engine: MakeEngine, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    until = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, until.set)
    await prepare(settings, until)
    if until.is_set():
        return
    server = Server(create_app(settings, make_engine))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.end)
    host, port = listening.getsockname()[:2]
    log.info("serving", extra={"address": f"http://{f'[{host}]' if ':' in host else host}:{port}"})
    await server.serve(sockets=[listening])


class Server(uvicorn.Server):
    """uvicorn's server. It leaves the signals to its caller, whom it would raise them for again after the orderly end."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=GRACE))

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Does nothing."""
        yield

    def end(self) -> None:
        """Begins the end; called again, open requests are not waited for.

        sse-starlette replaces uvicorn's own `handle_exit`, and then cuts streams off within half a second, wherever they
        are: it was a race whether a stream of events had ended by itself before.
        """
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the streams of events first: they would never end by themselves, and everything else waits for them."""
        self.lifespan.state["database"].bell.close()
        await super().shutdown(sockets)
