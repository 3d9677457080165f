"""A door to a broker that lets MQTT 3.1.1 in and turns MQTT 5 away, as brokers do that have never heard of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

V5 = 5
REFUSED = b"\x20\x03\x00\x84\x00"  # CONNACK: unsupported protocol version
VERSION_AT = 6  # behind the fixed header: two bytes of length and MQTT


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(1 << 14):
            writer.write(some)
            await writer.drain()
    except OSError:
        return


@asynccontextmanager
async def gate(target: int) -> AsyncIterator[int]:
    """Gives the port of a door to the broker at port `target`."""
    served: set[asyncio.Task[None]] = set()

    async def serve(near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        served.add(task)
        task.add_done_callback(served.discard)
        try:
            head = await near.readexactly(2)
            while head[-1] & 0x80:
                head += await near.readexactly(1)
            head += await near.readexactly(VERSION_AT + 1)
            if head[-1] == V5:
                writer.write(REFUSED)
                await writer.drain()
                return
            far, far_writer = await asyncio.open_connection("127.0.0.1", target)
            far_writer.write(head)
            pumps = {asyncio.create_task(_pump(near, far_writer)), asyncio.create_task(_pump(far, writer))}
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                far_writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in served:
            task.cancel()
        if served:
            await asyncio.wait(served)
