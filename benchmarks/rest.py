"""A process that does nothing but keep one link up over TLS, and says what it takes: `python -m benchmarks.rest PORT FOLDER`.

Of its own it imports what the link needs and nothing else: benchmarks/link.py starts it.
"""

import asyncio
import sys
from pathlib import Path
from random import Random

from folkmoot.link.backoff import Backoff
from folkmoot.link.endpoint import Endpoint, Tls
from folkmoot.link.face import Connected, Event, Session
from folkmoot.link.mqtt import MqttLink


def resident() -> dict[str, float]:
    """Gives what this process has in memory, in MiB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split()[0].rstrip(":").lower(): int(line.split()[1]) / 1_024 for line in lines}
    return {name: sizes[name] for name in ("rss", "pss", "anonymous")}


async def rest(port: int, folder: Path) -> None:
    """Prints it once the broker has taken us."""
    up = asyncio.Event()

    def hear(event: Event) -> None:
        if isinstance(event, Connected):
            up.set()

    endpoint = Endpoint("127.0.0.1", port, Tls(folder / "ca.crt", folder / "d1.crt", folder / "d1.key"))
    link = MqttLink(endpoint, Session(client="d1", filters=("t/d1",)), hear, Backoff(Random(0)))
    link.start()
    await up.wait()
    print(" ".join(f"{name}={size:.1f}" for name, size in resident().items()))
    link.stop()
    await link.stopped()


if __name__ == "__main__":
    asyncio.run(rest(int(sys.argv[1]), Path(sys.argv[2])))
