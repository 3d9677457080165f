"""A broker that answers as a test tells it to, for what no broker at hand would say."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from folkmoot.link.endpoint import Endpoint

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14  # packet types (MQTT 5, 2.1.2)
TAKEN_5 = b"\x20\x03\x00\x00\x00"
TAKEN_311 = b"\x20\x02\x00\x00"
PUBACK = b"\x40\x02\x00\x01"  # of the first packet of a connection
PINGRESP = b"\xd0\x00"
HANG_UP = None
SILENCE = b""


class Impostor:
    """Answers each type of packet with the same bytes; says nothing to a type that has no answer."""

    def __init__(self, answers: Mapping[tuple[int, int], bytes | None]) -> None:
        """`answers`: (protocol version, packet type) to what is sent back; a test may change them."""
        self.answers = dict(answers)
        self.heard: list[tuple[int, int, bytes]] = []  # version, type, body behind the fixed header
        self.port = 0
        self._news = asyncio.Event()
        self._served: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def endpoint(self) -> Endpoint:
        """How to reach it."""
        return Endpoint("127.0.0.1", self.port)

    async def packet(self, kind: int, number: int = 0) -> bytes:
        """Gives the body of the packet `number` of this type, when it has come."""
        async with asyncio.timeout(20):
            while len(found := [body for _, one, body in self.heard if one == kind]) <= number:
                self._news.clear()
                await self._news.wait()
        return found[number]

    @property
    def versions(self) -> list[int]:
        """The protocol versions of the CONNECTs so far: 5, or 4 for 3.1.1."""
        return [version for version, kind, _ in self.heard if kind == CONNECT]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        task = asyncio.current_task()
        assert task
        self._served[task] = writer
        version = 0
        try:
            while True:
                kind = (await reader.readexactly(1))[0] >> 4
                size = shift = 0
                while (byte := (await reader.readexactly(1))[0]) & 0x80:
                    size, shift = size | (byte & 0x7F) << shift, shift + 7
                body = await reader.readexactly(size | byte << shift)
                version = body[6] if kind == CONNECT else version
                self.heard.append((version, kind, body))
                self._news.set()
                answer = self.answers.get((version, kind), SILENCE)
                if answer is None:
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def close(self) -> None:
        """Hangs up on everybody."""
        for writer in self._served.values():
            writer.transport.abort()
        if self._served:
            await asyncio.wait(self._served)


@asynccontextmanager
async def impostor(answers: Mapping[tuple[int, int], bytes | None]) -> AsyncIterator[Impostor]:
    """Gives an impostor that listens."""
    made = Impostor(answers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
