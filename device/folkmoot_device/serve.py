"""Puts a device's agent on its link, and its training into a process of its own."""

import asyncio
import os
from importlib.util import find_spec
from pathlib import Path

from folkmoot import __version__
from folkmoot.hop.lower import Lower
from folkmoot.serve.lives import keep
from folkmoot.serve.station import DEVICE, INLINE, Station
from folkmoot.serve.training import Limits, Trainer
from folkmoot.store.examples import Examples
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree
from folkmoot_device import agent
from folkmoot_device.settings import Settings
from folkmoot_device.workshop import Runs, Workshop

RUNTIMES = {"tflite_runtime": "tflite-runtime", "ai_edge_litert": "ai-edge-litert"}


async def serve(settings: Settings, until: asyncio.Event) -> None:
    """Runs a device until `until` is set. Raises StoreFault where its folder or its examples do not do for good."""
    limits = Limits(settings.training.nice, settings.training.memory_mb << 20, settings.training.threads)
    trainer = Trainer(idle=settings.training.idle_seconds, limits=limits)
    try:
        await run(settings, trainer, until)
    finally:
        await trainer.close()


async def run(settings: Settings, trainer: Runs, until: asyncio.Event) -> None:
    """Runs a device whose jobs are done by `trainer`, over however many lives (folkmoot.serve.lives)."""

    async def live(station: Station) -> None:
        program, workshop = build(settings, trainer, station)
        try:
            await station.run(program, until)
        finally:
            await workshop.close()

    await keep(settings.folder, until, live)


def build(settings: Settings, trainer: Runs, station: Station) -> tuple[agent.Agent, Workshop]:
    """Gives a device as its folder has it, and where it trains. Raises StoreFault."""
    tree = Tree(settings.namespace, settings.gateway)
    above = Lower(tree, settings.id, station.cache, station.spool, station.ledger, INLINE)
    above.hello = hello(settings.store, settings.examples.contract)
    births = station.join("up", settings.home, tree, settings.id, upper=False, traffic=DEVICE)
    out = settings.folder / "answers"
    workshop = Workshop(settings.id, trainer, station.cache, settings.store, out, station.driver.post)

    def unready() -> str:
        have, least = above.hello.examples, settings.examples.least
        return "" if have >= least else f"{have} examples are here; {least} are the least"

    program = agent.Agent(above, agent.Trainer(workshop.start, workshop.stop), lambda: births.current, unready)
    program.restore(list(station.ledger.histories()))
    return program, workshop


def hello(store: Path, contract: str) -> Hello:
    """Gives what there is to say about this device. Raises StoreFault where the examples are of another contract."""
    examples = Examples(store, contract)
    try:
        train = examples.counts().train
    finally:
        examples.close()
    return Hello(
        software=f"folkmoot {__version__}",
        runtime=next((name for module, name in RUNTIMES.items() if find_spec(module)), ""),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        data=contract,
        examples=train,
    )
