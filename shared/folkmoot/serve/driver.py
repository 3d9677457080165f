"""The one loop that drives a node: take what has come, decide, store, and only then do.

All that waits in the inbox goes into one transaction. Where the store fails, nothing of the step is done and nothing is
acknowledged: the driver ends with the StoreFault, the node is built anew from the store (folkmoot.serve.lives), and its peers
say it again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from folkmoot.clock import Mark, Timeline
from folkmoot.hop.batch import OBJECT, Batch
from folkmoot.link.face import Arrived
from folkmoot.log import Outage
from folkmoot.serve.port import Port
from folkmoot.store.ledger import Ledger

log = logging.getLogger(__name__)

# Bytes of messages in the inbox, while a step is being stored. Receive maximum bounds what a broker sends ahead of our
# acknowledgements to 32 packets of 256 KiB; this is for brokers of MQTT 3.1.1 that have no such limit, and, half of it, for
# telemetry, which is never acknowledged.
WAITING = 32 << 20

Input = tuple[str, Any]
"""Where something comes from (a hop's name, or `work`), and what it is."""


class Node(Protocol):
    """A tier's program without its I/O."""

    @property
    def wake(self) -> int | None:
        """When to step although nothing has come, in ms of the timeline; None: never."""
        ...

    def step(self, inputs: Sequence[Input], now: int) -> Mapping[str, Batch]:
        """Takes everything that has come; gives a batch per hop. Does nothing outward."""
        ...

    def perform(self) -> None:
        """Begins and ends work that is done outside of the machines, once the step is stored."""
        ...


class Journal(Protocol):
    """Where batches are stored."""

    async def commit(self, batches: Mapping[str, Batch], mark: Callable[[], Mark]) -> None:
        """Stores them, and the time that `mark` gives, in one transaction; all or nothing. Raises StoreFault."""
        ...


class Local:
    """The journal of a node that has its own file."""

    __slots__ = "_ledger"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def mark(self) -> Mark | None:
        """The newest moment in the journal."""
        now, wall = self._ledger.fact("now"), self._ledger.fact("wall")
        return None if now is None or wall is None else Mark(int(now), int(wall))

    async def commit(self, batches: Mapping[str, Batch], mark: Callable[[], Mark]) -> None:
        """Stores what there is to store."""
        if any(not batch.empty for batch in batches.values()):
            at = mark()
            self._ledger.commit(batches.values(), {"now": at.now, "wall": at.wall})


class Stepper:
    """A node, step by step: whoever has it says when."""

    __slots__ = ("_flood", "_inbox", "_journal", "_rouse", "_taken", "_timeline", "_waiting")

    def __init__(self, journal: Journal, timeline: Timeline, rouse: Callable[[], None]) -> None:
        """`rouse` hears that something has come."""
        self._journal = journal
        self._timeline = timeline
        self._rouse = rouse
        self._inbox: list[Input] = []
        self._waiting = 0  # bytes of memory that the messages in it take
        self._flood = Outage()
        self._taken: list[Input] = []

    def post(self, source: str, event: Any) -> None:
        """Puts something into the inbox; call it on the thread that steps.

        A message that there is no room for is dropped and not acknowledged: it comes again when the link has been lost, or its
        sender says it again.
        """
        if isinstance(event, Arrived):
            size = OBJECT + len(event.payload)
            if self._waiting + size > (WAITING if event.token is not None else WAITING // 2):
                if self._flood.begins():
                    log.warning("messages come faster than they can be stored", extra={"hop": source})
                return
            self._waiting += size
        self._inbox.append((source, event))
        self._rouse()

    @property
    def left(self) -> list[Input]:
        """What has come and was not stored, where a step could not be."""
        return self._taken + self._inbox

    @property
    def waiting(self) -> bool:
        """Whether something has come that no step has taken yet."""
        return bool(self._inbox)

    async def turn(self, node: Node, ports: Mapping[str, Port]) -> Mapping[str, Batch]:
        """One step: takes all that has come, decides, stores, and only then does. Gives what was stored and done."""
        self._taken, self._inbox, self._waiting = self._inbox, [], 0
        self._flood.ends()
        batches = node.step(self._taken, self._timeline.now())
        await self._journal.commit(batches, self._timeline.mark)
        self._taken = []
        for hop, batch in batches.items():
            ports[hop].perform(batch)
        node.perform()
        return batches


class Driver(Stepper):
    """A node, driven on an event loop."""

    def __init__(self, journal: Journal, timeline: Timeline) -> None:
        self._here = asyncio.Event()
        self._stopping = False
        super().__init__(journal, timeline, self._here.set)

    def stop(self) -> None:
        """Ends `run` after the step that is under way."""
        self._stopping = True
        self._here.set()

    async def run(self, node: Node, ports: Mapping[str, Port]) -> None:
        """Steps until `stop`. Raises StoreFault where a step cannot be stored."""
        while not self._stopping:
            await self._wait(node.wake)
            self._here.clear()
            await self.turn(node, ports)

    async def _wait(self, wake: int | None) -> None:
        delay = None if wake is None else max(0, wake - self._timeline.now()) / 1000
        try:
            async with asyncio.timeout(delay):
                await self._here.wait()
        except TimeoutError:
            return
