"""A client in a process of its own, to be killed: `python -m tests.kit.member PORT CLIENT`; says `up` when it is connected."""

import asyncio
import sys
from random import Random

from folkmoot.link.backoff import Backoff
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Connected, Event, Last, Session
from folkmoot.link.mqtt import MqttLink


async def run(port: int, client: str) -> None:
    """Stays connected until it is killed."""

    def hear(event: Event) -> None:
        if isinstance(event, Connected):
            print("up", flush=True)

    session = Session(client=client, will=lambda: Last(f"{client}/status", b"down", retain=True))
    MqttLink(Endpoint("127.0.0.1", port), session, hear, Backoff(Random(0))).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), sys.argv[2]))
