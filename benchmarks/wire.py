"""What a device and its broker say to one another in a round: bytes and MQTT messages. `python -m benchmarks.wire 10000 int8`.

So many parameters in ten tensors, in float32 or as a transform encodes them, plain TCP. Counted is everything on the device's
connection from the beginning of its training in one round to that in the next, acknowledgements included; messages are PUBLISH
packets, those that it gets and those that it sends. Medians of 29 rounds: what comes once in a minute belongs to none. Devices
and rounds are those of benchmarks/round.py.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.round import Course, device, finish
from tests.kit.processes import Town

ROUNDS, WARM = 30, 5
PUBLISH = 3  # the kind of packet (MQTT 5, 2.1.2)


@dataclass
class Packets:
    """The size of one direction of a connection in bytes, and how many of its packets are PUBLISH."""

    size: int = 0
    published: int = 0
    _rest: bytes = field(default=b"", repr=False)
    _skip: int = field(default=0, repr=False)  # bytes of a packet that are still to come

    def feed(self, piece: bytes) -> None:
        """Takes what comes next."""
        self.size += len(piece)
        text = self._rest + piece
        while True:
            gone = min(self._skip, len(text))
            text, self._skip = text[gone:], self._skip - gone
            head = fixed_header(text)
            if head is None:
                break
            kind, length, size = head
            self.published += kind == PUBLISH
            self._skip = length + size
        self._rest = text


def fixed_header(text: bytes) -> tuple[int, int, int] | None:
    """Gives kind, remaining length and own size of the header that a packet begins with; None where it is not all there."""
    length = 0
    for place, byte in enumerate(text[1:5]):
        length |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return text[0] >> 4, length, place + 2
    return None


class Tap:
    """A TCP proxy that counts."""

    def __init__(self, target: int) -> None:
        self.up, self.down = Packets(), Packets()
        self._target = target

    @property
    def counts(self) -> tuple[int, int, int]:
        """Bytes up, bytes down, messages."""
        return self.up.size, self.down.size, self.up.published + self.down.published

    async def serve(self, near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        far, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        pumps = [
            asyncio.create_task(self._pump(near, far_writer, self.up)),
            asyncio.create_task(self._pump(far, writer, self.down)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for end in (writer, far_writer):
            end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, packets: Packets) -> None:
        while piece := await reader.read(65_536):
            packets.feed(piece)
            writer.write(piece)
            await writer.drain()


@asynccontextmanager
async def tap(target: int) -> AsyncIterator[tuple[Tap, int]]:
    """Gives a tap on what goes to a port, and the port that it listens on."""
    made = Tap(target)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    try:
        yield made, server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def measure(parameters: int, transform: str | None) -> dict[str, float]:
    """Gives `bytes_up`, `bytes_down` and `messages` of a device in a round; with a transform, its name is put before them."""
    course = Course(parameters, devices=1, rounds=ROUNDS, warm=WARM, homes=("g1",), transform=transform)
    until = asyncio.Event()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with Town(folder, {name: [] for name in course.homes}) as town:
            async with tap(town.brokers["g1"].port) as (counted, port):
                seen: list[tuple[int, int, int]] = []
                begun = device("d1", "g1", port, folder / "d1", course.parameters, until, lambda: seen.append(counted.counts))
                serving = asyncio.create_task(begun)
                await asyncio.to_thread(town.up, 1)
                await asyncio.to_thread(finish, town, course)
                until.set()
                await serving
    # The last round is left out: an evaluation follows it.
    steps = pairwise(seen[course.warm : course.warm + course.rounds])
    rounds = [[later - sooner for sooner, later in zip(*step, strict=True)] for step in steps]
    up, down, messages = (median(column) for column in zip(*rounds, strict=True))
    figures = {"bytes_up": up, "bytes_down": down, "messages": messages}
    return {f"{transform}_{name}" if transform else name: value for name, value in figures.items()}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]), *(sys.argv[2:] or (None,))))))
