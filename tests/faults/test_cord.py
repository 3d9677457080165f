"""The link that faults are done to does what it says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.kit.cord import FREE, Cord, Shape, cord

SENT = bytes(60_000)


@asynccontextmanager
async def echo(shape: Shape) -> AsyncIterator[Cord]:
    """Gives a cord to somebody who sends back whatever comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65_536):
                writer.write(piece)
        except OSError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with cord(server.sockets[0].getsockname()[1], shape) as wire:
        yield wire
    server.close()


async def heard(wire: Cord, sent: bytes = SENT) -> tuple[bytes, float]:
    """Gives what comes back over a new connection until it ends or is whole, and the seconds that it took."""
    begun = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(sent)
    got = bytearray()
    try:
        while len(got) < len(sent) and (piece := await reader.read(65_536)):
            got += piece
    except OSError:
        pass
    writer.close()
    return bytes(got), asyncio.get_running_loop().time() - begun


async def test_a_free_cord_changes_nothing_and_counts_what_passes() -> None:
    async with echo(FREE) as wire:
        assert (await heard(wire))[0] == SENT
        assert (wire.upward, wire.downward, wire.connections) == (len(SENT), len(SENT), 1)


async def test_a_slow_cord_is_no_faster_than_it_says() -> None:
    async with echo(Shape(rate=100_000, latency=0.1)) as wire:
        got, seconds = await heard(wire)
        assert got == SENT
        assert seconds >= len(SENT) / 100_000 + 0.2


async def test_a_cord_that_resets_ends_what_takes_longer() -> None:
    async with echo(Shape(rate=100_000, reset_every=0.3)) as wire:
        got, _ = await heard(wire)
        assert 0 < len(got) < len(SENT)


async def test_a_corrupting_cord_flips_single_bits() -> None:
    async with echo(Shape(corrupt_every=5_000)) as wire:
        got, _ = await heard(wire, bytes(200_000))
        flipped = [byte for byte in got if byte]
        assert len(got) == 200_000
        assert flipped
        assert all(byte.bit_count() == 1 for byte in flipped)


async def test_a_half_open_cord_takes_bytes_that_never_arrive_and_serves_new_connections() -> None:
    async with echo(FREE) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"before")
        assert await reader.read(6) == b"before"
        wire.swallow()
        writer.write(b"after")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(5), 0.2)
        assert (await heard(wire, b"new"))[0] == b"new"
        writer.close()


async def test_what_is_held_comes_when_the_cord_is_mended_and_what_is_refused_does_not() -> None:
    async with echo(FREE) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        wire.hold()
        writer.write(b"held")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(4), 0.2)
        wire.mend()
        assert await reader.read(4) == b"held"
        wire.refuse()
        assert (await heard(wire, b"no"))[0] == b""
        wire.mend()
        assert (await heard(wire, b"yes"))[0] == b"yes"
        writer.close()
