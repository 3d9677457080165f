"""A node's lives, one after another: each is built from the store, and ends where the disk below it has no room or fails.

Between two of them the process stays, takes nothing in and says so, and looks every few seconds whether the disk does again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from folkmoot.errors import DiskFault
from folkmoot.serve.health import Health
from folkmoot.serve.station import Station
from folkmoot.store import disk

log = logging.getLogger(__name__)

# Seconds until the first look, and between two. A look that fails writes nothing.
FIRST, EVERY = 1.0, 5.0
# Bytes that must be there to go on: some answers of a device. What did not fit may have been larger: a disk that is full again
# within CALM seconds has to have twice as much the next time, and is given twice the time.
LEAST, MOST = 1 << 20, 1 << 28
CALM = 60.0
LONGEST = 60.0  # seconds until the first look, however often it has been full


class Room:
    """The wait for a disk that does."""

    def __init__(self, folder: Path, *, first: float = FIRST, every: float = EVERY) -> None:
        """`folder`: of the node; `first`, `every`: seconds until the first look, and between two."""
        self._folder = folder
        self._first = first
        self._every = every
        self._again = 0  # times in a row
        self._until = 0.0

    async def wait(self, fault: DiskFault, until: asyncio.Event, look: Callable[[], None] = lambda: None) -> None:
        """Returns when there is room again, or `until` is set. `look` is called before each look at the disk."""
        loop = asyncio.get_running_loop()
        self._again = self._again + 1 if loop.time() < self._until else 0
        log.warning(f"{fault.why}: nothing is taken in until that is over", extra={"reason": str(fault)})
        size = min(LEAST << min(self._again, 16), MOST)
        pause = min(self._first * 2 ** min(self._again, 16), LONGEST)
        while not await _set(until, pause):
            look()
            if disk.lacking(self._folder, size) is None:
                log.warning("the disk does again", extra={"folder": str(self._folder)})
                break
            pause = self._every
        self._until = loop.time() + CALM


async def _set(until: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set before the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()
    return until.is_set()


async def keep(
    folder: Path, until: asyncio.Event, live: Callable[[Station], Awaitable[None]], room: Room | None = None
) -> None:
    """Has a node live in `folder` until `until` is set: `live(station)` builds it from the store and runs it.

    Raises StoreFault for what does not pass by itself: a damaged file, a newer program's, one that another process uses.
    """
    room = room or Room(folder)
    while not until.is_set():
        fault = await _live(folder, until, live, room)
        if fault is not None:  # it came before there was anybody to say so
            Health(folder).hinder(fault.why)
            await room.wait(fault, until)


async def _live(folder: Path, until: asyncio.Event, live: Callable[[Station], Awaitable[None]], room: Room) -> DiskFault | None:
    """One life; gives what it could not begin for. What ends one that has begun is waited out in it (Station.run)."""
    try:
        station = Station(folder, room.wait)
    except DiskFault as fault:
        return fault
    try:
        await live(station)
    except DiskFault as fault:
        return None if station.lived else fault
    finally:
        station.close()
    return None
