"""Watches a world, and remembers what its machines have promised to one another."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from folkmoot.errors import FolkmootError
from folkmoot.hop import member
from folkmoot.hop.answers import PREFIX
from folkmoot.hop.batch import Batch
from folkmoot.simulate.faults.world import World
from folkmoot.wire import partial

# Over the first 20,000 seeds no queue of any node held a fifth of this.
QUEUE = 400

Promise = tuple[str, bytes]
"""A machine, and the Ask that it has answered."""


class Broken(FolkmootError):
    """A law does not hold."""

    def __init__(self, law: str, detail: str, *about: str) -> None:
        """`about`: the machines that the story of it is about; none: all."""
        super().__init__(f"{law}: {detail}")
        self.law = law
        self.about = about


@dataclass(slots=True)
class Witness:
    """What one has seen of a world: `world.ears.committed` is its `store`, `stepped` its `step`."""

    world: World
    offered: set[Promise] = field(default_factory=set)  # stored, and nobody has said anything about it yet
    told: set[Promise] = field(default_factory=set)  # told ok
    said: dict[Promise, tuple[str, ...]] = field(default_factory=dict)  # devices whose updates are in a gateway's answer
    queue: int = 0  # the longest one of all nodes

    def store(self, name: str, batches: Collection[Batch]) -> None:
        """Takes what a machine has stored. Raises Broken."""
        for batch in batches:
            for key, event in batch.journal:
                if key.startswith(PREFIX):
                    self._member((name, bytes.fromhex(key.removeprefix(PREFIX))), event)
            if name in self.world.plan.homes:
                self._answers(name, batch)

    def step(self, name: str, batches: Collection[Batch]) -> None:
        """Takes what a machine has done in a step. Raises Broken."""
        host: Any = self.world.hosts[name]
        self.queue = max(self.queue, *(len(port.outlet) for port in host.ports.values()))
        if self.queue > QUEUE:
            raise Broken("queues are bounded", f"{name} has {self.queue} messages waiting", name)
        below = getattr(host, "below", None)
        for open in below.rounds.values() if below is not None else ():
            if open.round.state == "open" and host.timeline.now() >= open.round.opened.terms.deadline:
                raise Broken("a round is over by its deadline", f"{open.key} of {name} is open after it", name)

    def _answers(self, name: str, batch: Batch) -> None:
        kept = {(keep.owner, keep.payload): keep.content for keep in batch.keeps}
        for key, event in batch.journal:
            content = kept.get((key, event.payload)) if isinstance(event, member.Worked) else None
            if content is not None:
                ask = bytes.fromhex(key.removeprefix(PREFIX))
                self.said[name, ask] = partial.load(content, limit=len(content)).merged

    def _member(self, promise: Promise, event: Any) -> None:
        match event:
            case member.Worked():
                self.offered.add(promise)
            case member.Receipted(status) if status != "need":
                self.offered.discard(promise)
                if status in ("ok", "dup"):
                    self.told.add(promise)
            case member.Cancelled("lost"):
                name, ask = promise
                raise Broken("what was stored is there", f"{name} has lost its answer to {ask.hex()[:8]}", name)
            case member.Cancelled():
                self.offered.discard(promise)
            case _:
                pass

    @property
    def settled(self) -> bool:
        """Whether every machine is up and has nothing left to say."""
        return not self.offered and all(host.up and not host.ledger.machines for host in self.world.hosts.values())
