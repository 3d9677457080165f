"""What a link costs: memory at rest, and a round trip. `python -m benchmarks.link` in the repository's folder."""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from folkmoot.link.backoff import Backoff
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Arrived, Connected, Event, Session
from folkmoot.link.mqtt import MqttLink
from folkmoot.wire.messages import Answer, Ask
from folkmoot.wire.topics import Tree
from tests.kit.broker import HOME, endpoint, mosquitto_broker, program, secure

SIZE = 40_000  # bytes: the weights of a model of 10,000 parameters
TRIPS = 500
TREE = Tree(upper=HOME)


async def trips(device: Endpoint, gateway: Endpoint) -> list[float]:
    """Gives the milliseconds of each trip of SIZE bytes from a device to its gateway and back, sorted."""
    there, here = asyncio.Event(), asyncio.Event()

    def answer(event: Event) -> None:
        if isinstance(event, Connected):
            there.set()
        elif isinstance(event, Arrived):
            upper.ack(event.token)
            upper.send(0, TREE.topic("d1", Ask), event.payload)

    def note(event: Event) -> None:
        if isinstance(event, Connected | Arrived):
            here.set()
        if isinstance(event, Arrived):
            lower.ack(event.token)

    upper = MqttLink(gateway, Session(client=HOME, filters=TREE.upper_filters()[:1]), answer, Backoff(Random(0)))
    lower = MqttLink(device, Session(client="d1", filters=TREE.lower_filters("d1")), note, Backoff(Random(0)))
    upper.start()
    await there.wait()
    lower.start()
    await here.wait()
    times = []
    for _ in range(TRIPS):
        here.clear()
        start = time.perf_counter()
        assert lower.send(0, TREE.topic("d1", Answer), bytes(SIZE))
        await here.wait()
        times.append(1_000 * (time.perf_counter() - start))
    for link in (lower, upper):
        link.stop()
        await link.stopped()
    return sorted(times)


def measure(folder: Path) -> None:
    """Prints all figures."""
    with secure(folder) as broker:
        device = broker.device("d1")
        command = [sys.executable, "-m", "benchmarks.rest", str(device.port), str(broker.authority.ca.parent)]
        for _ in range(2):  # the first one may still compile, which takes 6 MiB more
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"one link at rest over TLS, MiB: {done.stdout.strip()}")
        tell("TLS and certificates", asyncio.run(trips(device, broker.gateway())))
    with mosquitto_broker(program(), "home", folder / "open") as plain:
        tell("plain TCP", asyncio.run(trips(endpoint(plain), endpoint(plain))))


def tell(way: str, times: list[float]) -> None:
    """Prints what trips took."""
    median, most = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{SIZE} bytes to a gateway and back over {way}, ms: median={median:.2f} p99={most:.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        measure(Path(temporary))
