"""What must hold of every run, whatever went wrong in it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from folkmoot.errors import FolkmootError
from folkmoot.hop import member
from folkmoot.hop.batch import Batch
from folkmoot.hop.lower import PREFIX
from folkmoot.simulate import oracle
from folkmoot.simulate.world import World

# A round closes in the step that its deadline wakes; the world's time is in whole milliseconds.
SLACK = 1_000  # ms
# Measured over the first 20,000 seeds: the most that any queue of any node ever held was a third of this.
QUEUE = 400
TRANSFERS = 8  # a program and some models that were not wanted any more when they had half come


class Broken(FolkmootError):
    """A law does not hold."""

    def __init__(self, law: str, detail: str, about: tuple[str, ...] = ()) -> None:
        """`about`: the machines that the story of it is about; none: all."""
        super().__init__(f"{law}: {detail}")
        self.law = law
        self.about = about


@dataclass(slots=True)
class Witness:
    """Watches a world, and says what does not hold: `world.ears.committed` is its `store`, `stepped` its `step`."""

    world: World
    offered: dict[tuple[str, bytes], Any] = field(
        default_factory=dict
    )  # machine and Ask id to the Ask: nobody has answered yet
    told: dict[tuple[str, bytes], Any] = field(default_factory=dict)  # machine and Ask id to the Ask: it was told ok
    queue: int = 0  # the longest one of all nodes

    def store(self, name: str, batches: Collection[Batch]) -> None:
        """Takes what a machine has stored."""
        host = self.world.hosts[name]
        for batch in batches:
            for key, event in batch.journal:
                if key.startswith(PREFIX):
                    self._member(host, bytes.fromhex(key.removeprefix(PREFIX)), event)

    def step(self, name: str, batches: Collection[Batch]) -> None:
        """Takes what a machine has done in a step. Raises Broken."""
        host: Any = self.world.hosts[name]
        self.queue = max(self.queue, *(len(port.outlet) for port in host.ports.values()))
        if self.queue > QUEUE:
            raise Broken("queues are bounded", f"{name} has {self.queue} messages waiting", (name,))
        below = getattr(host, "below", None)
        for open in below.rounds.values() if below is not None else ():
            if open.round.state == "open" and host.timeline.now() >= open.round.opened.terms.deadline:
                raise Broken("a round is over by its deadline", f"{open.key} of {name} is open after it", (name,))

    def _member(self, host: Any, id: bytes, event: Any) -> None:
        found = host.above.members.get(id)
        if found is None:
            return
        place = (host.name, id)
        match event:
            case member.Worked():
                self.offered[place] = found.ask
            case member.Receipted(status) if status != "need":
                self.offered.pop(place, None)
                if status in ("ok", "dup"):
                    self.told[place] = found.ask
            case member.Cancelled():
                self.offered.pop(place, None)
            case _:
                pass

    # When the run is over.

    def settled(self) -> bool:
        """Whether everybody is there, and has nothing left to say."""
        return not self.offered and all(host.up and not host.ledger.machines for host in self.world.hosts.values())

    def judge(self) -> None:
        """Looks at the record of a run that is over. Raises Broken for the first law that does not hold."""
        for law in (_numbers, _unique, _models, _deadlines, self._acknowledged, self._remembered):
            law(self.world)

    def _acknowledged(self, world: World) -> None:
        """Every answer that got ok is in a model, or in a record that says why not."""
        closed = {round.number: round for round in world.cloud.rounds}
        for (name, _), ask in self.told.items():
            if ask.phase != "train":
                continue
            record = closed.get(ask.round)
            if record is None:
                raise Broken(
                    "ok is a promise", f"{name} was told ok in round {ask.round}, of which there is no record", (name,)
                )
            leaves = {leaf.device: leaf.fate for leaf in record.sums.leaves}
            home = name if name in world.gateways else _home(world, name)
            seat = record.seats.get(home)
            if seat is None:
                raise Broken("ok is a promise", f"{home} has no seat in the record of round {ask.round}", (name, home))
            if name in world.gateways:
                if seat.state != "taken":
                    raise Broken(
                        "ok is a promise", f"{name} was told ok in round {ask.round}, but is {seat.fate}", (name, "cloud")
                    )
            elif seat.state == "taken" and leaves.get(name) != "":
                word = leaves.get(name, "not in it")
                raise Broken("ok is a promise", f"{name} was told ok in round {ask.round}; the model has {word}", (name, home))
            elif seat.state != "taken" and not seat.fate:
                raise Broken(
                    "ok is a promise", f"the record of round {ask.round} does not say what became of {home}", (name, home)
                )

    def _remembered(self, world: World) -> None:
        """Every answer that was offered was told something, and nothing of it is left anywhere."""
        for name, id in self.offered:
            raise Broken("no answer goes without a word", f"{name} was never told about its answer to {id.hex()[:8]}", (name,))
        for host in world.hosts.values():
            left = host.ledger.machines
            if left or host.ledger.kept:
                raise Broken("what is over is forgotten", f"{host.name} still has {left} and {host.ledger.kept}", (host.name,))
            parts = host.place.stores.parts  # type: ignore[attr-defined]
            if len(parts) > TRANSFERS:
                raise Broken("what is over is forgotten", f"{host.name} still has {len(parts)} transfers", (host.name,))


def _home(world: World, device: str) -> str:
    return next(name for name, devices in world.plan.homes.items() if device in devices)


def _numbers(world: World) -> None:
    numbers = [closed.number for closed in world.cloud.rounds]
    if numbers != list(range(1, world.plan.rounds + 1)):
        raise Broken("each round is closed once, in order", f"closed were {numbers}", ("cloud",))


def _unique(world: World) -> None:
    for closed in world.cloud.rounds:
        devices = [leaf.device for leaf in closed.sums.leaves if leaf.fate == ""]
        if len(set(devices)) != len(devices):
            raise Broken("contributions are unique", f"round {closed.number} holds {devices}", ("cloud",))
        if closed.closed.outcome == "complete" and len(devices) < world.plan.terms.get("minimum", 1):
            raise Broken("a round needs its minimum", f"round {closed.number} was made of {devices}", ("cloud",))


def _models(world: World) -> None:
    expected = oracle.models(world.cloud.rounds, world.plan.parameters)
    found = {number: sha for (_, number), sha in world.cloud.models.items()}
    for number in sorted(expected.keys() | found.keys()):
        if expected.get(number) != found.get(number):
            raise Broken("a model is what its record says", f"the model of round {number} is not the oracle's", ("cloud",))


def _deadlines(world: World) -> None:
    """A round that its deadline closed lasted as long as it was to, by a clock that nobody sets."""
    deadline = world.plan.terms.get("deadline", 60_000)
    for number, opened, closed, off in world.cloud.spans:
        lasted = closed.at - opened
        if closed.fact.closed.reason == "deadline" and lasted < deadline:
            raise Broken("no round is over before its deadline", f"round {number} lasted {lasted} ms of {deadline}", ("cloud",))
        if lasted > deadline + off + SLACK:
            raise Broken("a round is over by its deadline", f"round {number} lasted {lasted} ms of {deadline}", ("cloud",))


Law = Callable[[World], None]
