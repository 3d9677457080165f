"""A round with a larger model: 50 devices below 2 gateways, 250,000 parameters, as in benchmarks/round.py.

    python -m benchmarks.freight

The devices of a home share a process. An update is 1 MB and travels in chunks, over two hops: from the third round on these
have 64 KiB, as the connections have held for so long. Beside it `chunks_s`: as many chunks as all devices send, one way,
through one Mosquitto into one subscriber that does nothing with them.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from random import Random

from benchmarks.round import Course, measure
from folkmoot.link.backoff import Backoff
from folkmoot.link.broker import mosquitto_broker
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Arrived, Connected, Event, Session
from folkmoot.link.mqtt import MqttLink
from tests.kit.broker import endpoint, program

COURSE = Course(parameters=250_000, devices=25, rounds=5, warm=2, together=25)
CHUNK = 32_768  # bytes of payload: between the pieces that a connection begins with and those that it comes to
CHUNKS = 1_600  # 50 devices, 1,000,000 bytes each, rounded up to whole chunks of each device
SENDERS = 10  # of which each has so many under way as a device has
WINDOW = 4


class Bare:
    """One link, and how much of it has happened."""

    def __init__(self, where: Endpoint, name: str, *filters: str) -> None:
        self.up = asyncio.Event()
        self.news = asyncio.Event()
        self.arrived = asyncio.Semaphore(0)
        session = Session(client=name, filters=filters, window=WINDOW)
        self.link = MqttLink(where, session, self._hear, Backoff(Random(0)))
        self.link.start()

    def _hear(self, event: Event) -> None:
        self.news.set()
        if isinstance(event, Connected):
            self.up.set()
        elif isinstance(event, Arrived):
            self.link.ack(event.token)
            self.arrived.release()


async def chunks(where: Endpoint) -> float:
    """Gives the seconds until all chunks have arrived."""
    receiver = Bare(where, "receiver", "t/#")
    await receiver.up.wait()
    senders = [Bare(where, f"s{number}") for number in range(SENDERS)]
    for sender in senders:
        await sender.up.wait()
    clock = asyncio.get_running_loop().time
    began = clock()
    await asyncio.gather(*(send(sender, number) for number, sender in enumerate(senders)))
    for _ in range(CHUNKS):
        await receiver.arrived.acquire()
    took = clock() - began
    for each in (receiver, *senders):
        each.link.stop()
        await each.link.stopped()
    return took


async def send(sender: Bare, number: int) -> None:
    """Sends a sender's share, as fast as its window lets it."""
    for at in range(CHUNKS // SENDERS):
        while not sender.link.send(at, f"t/{number}", bytes(CHUNK)):
            sender.news.clear()
            await sender.news.wait()


if __name__ == "__main__":
    figures = measure(COURSE)
    with tempfile.TemporaryDirectory() as made, mosquitto_broker(program(), "cloud", Path(made) / "broker") as broker:
        found = asyncio.run(chunks(endpoint(broker)))
    print(json.dumps({"round_s": figures["round_ms"] / 1e3, "chunks_s": found}))
