"""A device whose training is made up, in this event loop or as a process: `python -m tests.kit.toy_device {...}`."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from folkmoot import log
from folkmoot.hop import member
from folkmoot.hop.lower import Lower
from folkmoot.link.settings import Broker
from folkmoot.serve.lives import keep
from folkmoot.serve.station import DEVICE, INLINE, Station
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree
from folkmoot_device.agent import Agent, Trained, Trainer
from tests.kit import toy


class ToyDevice(msgspec.Struct, frozen=True, kw_only=True):
    """Which device to be."""

    name: str
    folder: Path
    gateway: str
    home: Broker
    parameters: int

    @property
    def command(self) -> list[str]:
        """What starts it as a process of its own."""
        return [sys.executable, "-m", "tests.kit.toy_device", msgspec.json.encode(self, enc_hook=str).decode()]

    async def serve(self, until: asyncio.Event, trained: Callable[[int], None], done: asyncio.Event) -> None:
        """Runs it until `until` is set. `trained` hears of each round in which it has begun; it ends when `done` is set."""
        trainings: set[asyncio.Task[None]] = set()

        async def live(station: Station) -> None:
            await station.run(self._agent(station, trainings, trained, done), until)

        await keep(self.folder, until, live)
        for task in trainings:
            task.cancel()

    def _agent(
        self, station: Station, trainings: set[asyncio.Task[None]], trained: Callable[[int], None], done: asyncio.Event
    ) -> Agent:
        tree = Tree("fl", self.gateway)
        above = Lower(tree, self.name, station.cache, station.spool, station.ledger, INLINE)
        above.hello = Hello(data=toy.CONTRACT, examples=toy.examples(self.name))
        births = station.join("up", self.home, tree, self.name, upper=False, traffic=DEVICE)

        async def train(item: member.Member) -> None:
            await done.wait()
            station.driver.post("work", Trained(item.id, toy.payload(self.name, item.ask, self.parameters)))

        def start(item: member.Member) -> None:
            trained(item.ask.round)
            task = asyncio.create_task(train(item))
            trainings.add(task)
            task.add_done_callback(trainings.discard)

        agent = Agent(above, Trainer(start, lambda ask: None), lambda: births.current, lambda: "")
        agent.restore(list(station.ledger.histories()))
        return agent


async def main() -> None:
    """Is the device that the command line names, until SIGTERM."""
    until, done = asyncio.Event(), asyncio.Event()
    done.set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, until.set)
    settings = msgspec.json.decode(sys.argv[1], type=ToyDevice, dec_hook=lambda form, value: form(value))
    await settings.serve(until, lambda number: None, done)


if __name__ == "__main__":
    log.setup("info")
    asyncio.run(main())
