"""The device simulator over real MQTT: the devices of one home, as many as one likes, in few processes.

Every one of them is a real member, with its own connection, identity and shard of the examples, and really trains.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from folkmoot import ids
from folkmoot.errors import PeerFault, StoreFault, UserFault
from folkmoot.ids import NAME
from folkmoot.link.backoff import Backoff
from folkmoot.link.face import Arrived, Event, Session, Stopped
from folkmoot.link.mqtt import MqttLink
from folkmoot.link.settings import Broker
from folkmoot.log import Settings as Log
from folkmoot.store.examples import Example, Examples, Reader
from folkmoot.wire.topics import Tree
from folkmoot_device import crowd as crowds
from folkmoot_device import shards
from folkmoot_device.crowd import Crowd
from folkmoot_device.shards import Source

log = logging.getLogger(__name__)

PREFIX = "FOLKMOOT_FLEET"
# Devices that one process drives: a hundred train and talk faster than one core does the arithmetic for them.
EACH = 100
STOP = 20.0  # seconds that a process of devices may take to say goodbye


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated home: FOLKMOOT_FLEET_* in the environment, or the options of `folkmoot fleet`."""

    home: Broker = Broker()
    gateway: Annotated[str, Meta(pattern=r"^([a-z0-9-]{1,32})?$")] = ""  # id; "": the one that the home's broker knows
    devices: Annotated[int, Meta(ge=1, le=100_000)] | None = None  # None: 20, or as many as `examples` has clients
    examples: Path | None = None  # what they are dealt (folkmoot_device.shards); None: scikit-learn's digits
    folder: Path = Path(".folkmoot/fleet")  # journals and examples; a fleet that is started again in it goes on
    prefix: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,20}$")] = "sim"  # of the devices' names
    alpha: Annotated[float, Meta(gt=0, le=1e6)] = 1.0  # of the Dirichlet distribution: small, and each device knows few classes
    seed: Annotated[int, Meta(ge=0)] = 0
    namespace: Annotated[str, Meta(pattern=NAME)] = "fl"
    log: Log = Log(level="warning")


async def serve(settings: Settings, until: asyncio.Event) -> None:
    """Runs the fleet until `until` is set.

    Raises UserFault where there is something wrong with the examples, or a process of the fleet ends by itself.
    """
    source = await asyncio.to_thread(shards.source, settings.examples)
    names = await asyncio.to_thread(deal, settings, source)
    gateway = settings.gateway or await discover(settings, until)
    if until.is_set():
        return
    crowds = share(settings, gateway, names, source.contract, os.cpu_count() or 1)
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


def share(settings: Settings, gateway: str, names: Sequence[str], contract: str, cores: int) -> list[Crowd]:
    """Gives what each process runs: `EACH` devices, and its share of one training process a core."""
    count = -(-len(names) // EACH)
    return [
        Crowd(
            names=tuple(names[number::count]),
            gateway=gateway,
            namespace=settings.namespace,
            folder=settings.folder.absolute(),
            contract=contract,
            home=settings.home,
            trainers=max(1, (cores + count - 1 - number) // count),
            log=settings.log,
        )
        for number in range(count)
    ]


def deal(settings: Settings, source: Source) -> list[str]:
    """Deals the examples, but to devices that have theirs from an earlier start; gives the names of all.

    Raises UserFault where there are none to be had, or the folder holds those of another contract, StoreFault where the folder
    does not do.
    """
    numbers = source.numbers(settings.devices)
    names = [ids.check(f"{settings.prefix}-{number:05d}", "a device's name") for number in numbers]
    held = _held(settings.folder, source.contract)
    files = [settings.folder / name / "examples.db" for name in names]
    if held.issuperset(files):
        return names
    rng = np.random.default_rng(settings.seed)
    for file, shard in zip(files, source.deal(numbers, settings.alpha, rng), strict=True):
        if file not in held:
            _store(file, source.contract, shard)
    return names


def _held(folder: Path, contract: str) -> set[Path]:
    """Gives the stores in a folder that have examples. Raises UserFault where they are those of another contract."""
    found = set()
    for file in folder.glob("*/examples.db"):
        with suppress(StoreFault):  # half made by a start that was killed; whatever else is wrong, `_store` or its device says
            reader = Reader(file)
            counts = reader.counts()
            reader.close()
            if reader.contract != contract:
                raise UserFault(f"{folder} holds examples of {reader.contract}, not of {contract}: give another --folder")
            if counts.train or counts.holdout:
                found.add(file)
    return found


def _store(file: Path, contract: str, examples: Iterable[Example]) -> None:
    """Sees that a store has its examples. Raises StoreFault."""
    store = Examples(file, contract)
    try:
        if not store.counts().size:
            store.add(examples, 0)
    finally:
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
