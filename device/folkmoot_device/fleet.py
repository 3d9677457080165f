"""The device simulator over real MQTT: the devices of one home, as many as one likes, in few processes.

Every one of them is a real member, with its own connection, identity and shard of the digits, and really trains.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from folkmoot import ids, partition
from folkmoot.errors import PeerFault, UserFault
from folkmoot.ids import NAME
from folkmoot.link.backoff import Backoff
from folkmoot.link.face import Arrived, Event, Session, Stopped
from folkmoot.link.mqtt import MqttLink
from folkmoot.link.settings import Broker
from folkmoot.log import Settings as Log
from folkmoot.store.examples import Examples
from folkmoot.tasks import digits
from folkmoot.wire.topics import Tree
from folkmoot_device import crowd as crowds
from folkmoot_device.crowd import Crowd

log = logging.getLogger(__name__)

PREFIX = "FOLKMOOT_FLEET"
# Devices that one process drives: a hundred train and talk faster than one core does the arithmetic for them.
EACH = 100
LEAST = 12  # examples of a device, on average, hold-out included; of a larger fleet some are generated
STOP = 20.0  # seconds that a process of devices may take to say goodbye


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated home: FOLKMOOT_FLEET_* in the environment, or the options of `folkmoot fleet`."""

    home: Broker = Broker()
    gateway: Annotated[str, Meta(pattern=r"^([a-z0-9-]{1,32})?$")] = ""  # id; "": the one that the home's broker knows
    devices: Annotated[int, Meta(ge=1, le=100_000)] = 20
    folder: Path = Path(".folkmoot/fleet")  # journals and examples; a fleet that is started again in it goes on
    prefix: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,20}$")] = "sim"  # of the devices' names
    alpha: Annotated[float, Meta(gt=0, le=1e6)] = 1.0  # of the Dirichlet distribution: small, and each device knows few digits
    seed: Annotated[int, Meta(ge=0)] = 0
    namespace: Annotated[str, Meta(pattern=NAME)] = "fl"
    log: Log = Log(level="warning")


async def serve(settings: Settings, until: asyncio.Event) -> None:
    """Runs the fleet until `until` is set. Raises UserFault where a process of it ends by itself."""
    gateway = settings.gateway or await discover(settings, until)
    if until.is_set():
        return
    names = [f"{settings.prefix}-{number:05d}" for number in range(settings.devices)]
    await asyncio.to_thread(deal, settings, names)
    crowds = share(settings, gateway, names, os.cpu_count() or 1)
    log.info("fleet", extra={"gateway": gateway, "devices": len(names), "processes": len(crowds)})
    children = [await _start(crowd) for crowd in crowds]
    stopping = asyncio.create_task(until.wait())
    ending = [asyncio.create_task(child.wait()) for child in children]
    try:
        await asyncio.wait({stopping, *ending}, return_when=asyncio.FIRST_COMPLETED)
        if not until.is_set():
            raise UserFault("a process of the fleet has ended: what it said stands above")
    finally:
        stopping.cancel()
        await _stop(children)


def share(settings: Settings, gateway: str, names: Sequence[str], cores: int) -> list[Crowd]:
    """Gives what each process runs: `EACH` devices, and its share of one training process a core."""
    count = -(-len(names) // EACH)
    return [
        Crowd(
            names=tuple(names[number::count]),
            gateway=gateway,
            namespace=settings.namespace,
            folder=settings.folder.absolute(),
            contract=digits.CONTRACT,
            home=settings.home,
            trainers=max(1, (cores + count - 1 - number) // count),
            log=settings.log,
        )
        for number in range(count)
    ]


def deal(settings: Settings, names: Sequence[str]) -> None:
    """Deals the digits, unless it is done: a device that is started again has its own examples.

    Raises UserFault where scikit-learn is missing, StoreFault where the folder does not do.
    """
    files = [settings.folder / name / "examples.db" for name in names]
    if all(file.exists() for file in files):
        return
    rng = np.random.default_rng(settings.seed)
    dealt, _ = digits.load()
    dealt = digits.more(dealt, max(len(dealt), LEAST * len(names)), rng)
    for file, shard in zip(files, partition.dirichlet(dealt.y, len(names), settings.alpha, rng), strict=True):
        if not file.exists():
            store = Examples(file, digits.CONTRACT)
            store.add(((dealt.x[index].tobytes(), dealt.y[index].tobytes()) for index in shard), 0)
            store.close()


async def discover(settings: Settings, until: asyncio.Event) -> str:
    """Gives the id of the gateway that the home's broker knows; waits until there is one.

    Raises UserFault where there are several: then one has to be named.
    """
    found: set[str] = set()
    first, gone = asyncio.Event(), asyncio.Event()

    def hear(event: Event) -> None:
        if isinstance(event, Arrived):
            try:
                found.add(_gateway(event.topic, settings.namespace))
                first.set()
            except PeerFault:
                log.warning("no status of a gateway", extra={"topic": event.topic})
        elif isinstance(event, Stopped):
            gone.set()

    filters = (Tree(settings.namespace, "+").upper_status,)
    session = Session(client=f"fleet-{ids.text(ids.fresh())[:16]}", filters=filters, keep=False, expiry_s=0)
    link = MqttLink(settings.home.endpoint(), session, hear, Backoff(Random()))  # noqa: S311  # spreads reconnects
    link.start()
    waits = [asyncio.create_task(one.wait()) for one in (first, until)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()
    link.stop()
    await gone.wait()
    if len(found) > 1:
        raise UserFault(f"several gateways are at {settings.home.endpoint()}: say which one, of {', '.join(sorted(found))}")
    return found.pop() if found else ""


def _gateway(topic: str, namespace: str) -> str:
    """Gives the gateway whose status stands at a topic. Raises PeerFault for another topic."""
    levels = topic.split("/")
    if len(levels) != 6:  # namespace/v1/h/{gateway}/_gw/status
        raise PeerFault("topic", topic)
    Tree(namespace, levels[3]).place(topic)
    return levels[3]


async def _start(crowd: Crowd) -> asyncio.subprocess.Process:
    # Its own session: Ctrl-C is ours to pass on.
    command = (sys.executable, "-m", "folkmoot_device.crowd", crowds.dump(crowd))
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True)


async def _stop(children: Sequence[asyncio.subprocess.Process]) -> None:
    for child in children:
        if child.returncode is None:
            child.terminate()
    try:
        async with asyncio.timeout(STOP):
            await asyncio.gather(*(child.wait() for child in children))
    except TimeoutError:
        for child in children:
            if child.returncode is None:
                child.kill()
