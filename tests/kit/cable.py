"""A cable between a link and its broker that can be cut, held and mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from folkmoot.link.endpoint import Endpoint


class Cable:
    """A TCP proxy on a port of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._ends: set[asyncio.StreamWriter] = set()
        self._served: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0

    @property
    def endpoint(self) -> Endpoint:
        """How to reach the broker over this cable."""
        return Endpoint("127.0.0.1", self.port)

    def cut(self) -> None:
        """Breaks every connection; new ones are served."""
        for end in self._ends:
            end.transport.abort()

    def hold(self) -> None:
        """Lets nothing through, in either direction: the connections stay, and are dead."""
        self._flowing.clear()

    def mend(self) -> None:
        """Lets everything through again, what was held included."""
        self._flowing.set()

    async def serve(self, near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        task = asyncio.current_task()
        assert task
        self._served.add(task)
        try:
            far, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._ends |= ends
        pumps = [asyncio.create_task(self._pump(near, far_writer)), asyncio.create_task(self._pump(far, writer))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        self._ends -= ends
        for end in ends:
            end.transport.abort()
        for pump in pumps:
            pump.cancel()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(piece)
                await writer.drain()
            await self._flowing.wait()
        except OSError:
            return

    async def close(self) -> None:
        """Breaks everything, and waits until it is gone."""
        self.mend()
        self.cut()
        if self._served:
            await asyncio.wait(self._served)


@asynccontextmanager
async def cable(target: int) -> AsyncIterator[Cable]:
    """Gives a cable to a port of the loopback address."""
    made = Cable(target)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
