"""How long a device counts as there that has gone: with a goodbye, killed, and frozen. `python -m benchmarks.departure`.

Real agents with a keepalive of 30 s, which is how often a node of Flower's says that it lives; ours is 60 s unless a settings
file says otherwise. Who is there is what the home's broker tells the gateway: a goodbye, or the will of a device that it has
lost.
"""

import asyncio
import json
import signal
import tempfile
import time
from pathlib import Path

from folkmoot.link.face import Arrived
from folkmoot.link.mqtt import MqttLink
from folkmoot.wire import codec
from folkmoot.wire.messages import Status
from tests.kit.broker import endpoint
from tests.kit.ear import Ear, join
from tests.kit.processes import Town

KEEPALIVE = 30  # seconds
WAYS = {"clean": signal.SIGTERM, "killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
PATIENCE = 4.0 * KEEPALIVE


class Slow(Town):
    """A town whose machines say less often that they live."""

    def _way(self, broker: str, who: str) -> str:
        return f"port = {self.brokers[broker].port}\nkeepalive_seconds = {KEEPALIVE}\n"


async def gone(link: MqttLink, ear: Ear, device: str) -> float:
    """Waits until it is said that a device is down; gives when, in seconds of the monotonic clock."""

    def so(event: Arrived) -> bool:
        link.ack(event.token)
        body = codec.unseal(event.payload, limit=1 << 20).body
        return f"/{device}/" in event.topic and isinstance(body, Status) and body.state == "down"

    await ear.next(Arrived, so, PATIENCE)
    return time.monotonic()


async def measure(town: Town) -> dict[str, float]:
    """Gives the seconds of each way, and those of a frozen device in keepalives."""
    link, ear = join(endpoint(town.brokers["g1"]), "looker", "fl/v1/h/g1/+/status")
    await asyncio.to_thread(town.up, len(WAYS))
    found = {}
    for name, number in WAYS.items():
        began = time.monotonic()
        town.devices[name].send(number)
        found[f"{name}_s"] = await gone(link, ear, name) - began
    link.stop()
    await link.stopped()
    town.devices["frozen"].send(signal.SIGCONT)
    return {**found, "frozen_keepalives": found["frozen_s"] / KEEPALIVE}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, Slow(Path(made), {"g1": list(WAYS)}) as town:
        print(json.dumps(asyncio.run(measure(town))))
