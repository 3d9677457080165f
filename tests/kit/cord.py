"""A shaped link between two programs: so fast, so late, reset every so often, corrupting, cut, held, or dead without a word."""

import asyncio
import random
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from folkmoot.link.endpoint import Endpoint

T = TypeVar("T")
PIECE = 1460  # bytes that travel as one: what a TCP segment on Ethernet holds
FLIGHT = 256  # pieces on their way in one direction of a connection, before the sender is slowed
BUFFER = 16_384  # bytes of a socket's receive buffer: what has "left" and is not on the link yet should be little


@dataclass(frozen=True, slots=True)
class Shape:
    """What a link does to what passes."""

    rate: float = inf  # bytes a second in each direction, for all connections together
    latency: float = 0.0  # seconds, in each direction
    reset_every: float = inf  # seconds that a connection lives
    corrupt_every: float = inf  # bytes between two flipped bits, on the average


FREE = Shape()


class Cord:
    """A TCP proxy on a port of its own; lives on one event loop, and is called there (`Reel` is for callers elsewhere)."""

    def __init__(self, target: int, shape: Shape = FREE, seed: int = 0) -> None:
        self.shape = shape
        self.port = 0
        self.upward = 0  # bytes that have been handed to the target
        self.downward = 0  # bytes that have been handed to those who connected
        self.connections = 0  # so far
        self._target = target
        self._chance = random.Random(seed)
        self._pairs: dict[frozenset[asyncio.StreamWriter], bool] = {}  # to whether it is dead: what comes is swallowed
        self._served: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._free_at = {True: 0.0, False: 0.0}  # when a direction (upward or not) has sent what it was given

    @property
    def endpoint(self) -> Endpoint:
        """How to reach the target over this cord."""
        return Endpoint("127.0.0.1", self.port)

    def cut(self) -> None:
        """Resets every connection; new ones are served."""
        for ends in self._pairs:
            for end in ends:
                end.transport.abort()

    def hold(self) -> None:
        """Lets nothing through, in either direction: the connections stay, and go on where they were when mended."""
        self._flowing.clear()

    def refuse(self) -> None:
        """Resets every connection, new ones too."""
        self._refusing = True
        self.cut()

    def swallow(self) -> None:
        """Leaves the connections there are half open for good: they take bytes, and nothing arrives. New ones are served."""
        for ends in self._pairs:
            self._pairs[ends] = True

    def mend(self) -> None:
        """Serves again, and lets through what was held; what is half open stays so."""
        self._refusing = False
        self._flowing.set()

    async def serve(self, near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        task = asyncio.current_task()
        assert task
        self._served.add(task)
        task.add_done_callback(self._served.discard)
        try:
            if self._refusing:
                raise ConnectionRefusedError
            far, far_writer = await asyncio.open_connection(sock=await _connected(self._target), limit=BUFFER)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        ends = frozenset({writer, far_writer})
        self._pairs[ends] = False
        pumps = {
            asyncio.create_task(self._pump(near, far_writer, ends, upward=True)),
            asyncio.create_task(self._pump(far, writer, ends, upward=False)),
        }
        life = None if self.shape.reset_every == inf else self.shape.reset_every
        await asyncio.wait(pumps, timeout=life, return_when=asyncio.FIRST_COMPLETED)
        if self._pairs[ends]:  # one end has given up: the other is not told, and finds out for itself
            await asyncio.wait(pumps)
        del self._pairs[ends]
        for end in ends:
            end.transport.abort()
        for pump in pumps:
            pump.cancel()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: frozenset[asyncio.StreamWriter], *, upward: bool
    ) -> None:
        way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(FLIGHT)
        landing = asyncio.create_task(self._land(way, writer, ends, upward=upward))
        clock = asyncio.get_running_loop().time
        try:
            while piece := await reader.read(PIECE if self.shape.rate < inf else BUFFER):
                await self._flowing.wait()
                gone = max(self._free_at[upward], clock()) + len(piece) / self.shape.rate
                self._free_at[upward] = gone
                await asyncio.sleep(gone - clock())
                await way.put((clock() + self.shape.latency, self._corrupted(piece)))
            await way.put((clock() + self.shape.latency, b""))
            await landing
        except OSError:
            return
        finally:
            landing.cancel()

    async def _land(
        self,
        way: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        ends: frozenset[asyncio.StreamWriter],
        *,
        upward: bool,
    ) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due, piece = await way.get()
            await asyncio.sleep(due - clock())
            await self._flowing.wait()
            if not piece:
                return
            if self._pairs.get(ends, True):
                continue
            try:
                writer.write(piece)
                await writer.drain()
            except OSError:
                return
            if upward:
                self.upward += len(piece)
            else:
                self.downward += len(piece)

    def _corrupted(self, piece: bytes) -> bytes:
        if self.shape.corrupt_every == inf or self._chance.random() * self.shape.corrupt_every >= len(piece):
            return piece
        at, bit = self._chance.randrange(len(piece)), 1 << self._chance.randrange(8)
        return piece[:at] + bytes([piece[at] ^ bit]) + piece[at + 1 :]

    async def close(self) -> None:
        """Resets everything, and waits until it is gone."""
        self.mend()
        for ends in self._pairs:
            self._pairs[ends] = False
        self.cut()
        if self._served:
            await asyncio.wait(self._served)


async def _connected(port: int) -> socket.socket:
    made = _socket()
    try:
        await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    except OSError:
        made.close()
        raise
    return made


def _socket() -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # before it connects or listens: the window follows from it
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    return made


@asynccontextmanager
async def cord(target: int, shape: Shape = FREE, seed: int = 0) -> AsyncIterator[Cord]:
    """Gives a cord to a port of the loopback address."""
    made = Cord(target, shape, seed)
    listener = _socket()
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(made.serve, sock=listener, limit=BUFFER)
    made.port = listener.getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()


class Reel:
    """Cords for who has no event loop: they live on a thread, and are told there what to do."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stack = ExitStack()

    def cord(self, target: int, shape: Shape = FREE, seed: int = 0) -> Cord:
        """Gives a cord, which lasts as long as the reel. Set its `shape` as you like; its methods go through `tell`."""
        context = cord(target, shape, seed)
        made = self._call(context.__aenter__())
        self._stack.callback(lambda: self._call(context.__aexit__(None, None, None)))
        return made

    def tell(self, verb: Any) -> None:
        """Does `cord.cut`, `cord.hold` and so on, and comes back when it is done."""

        async def do() -> None:
            verb()

        self._call(do())

    def _call(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    def close(self) -> None:
        """Closes its cords."""
        self._stack.close()


@contextmanager
def reel() -> Iterator[Reel]:
    """Gives a reel, and the thread that it needs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="cords", daemon=True)
    thread.start()
    made = Reel(loop)
    try:
        yield made
    finally:
        made.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
