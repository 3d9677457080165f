"""Simulated federations whose gateways and cloud are recorded; in one of them devices really train, and one spoils it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from folkmoot import partition, tasks
from folkmoot.arrays import Array
from folkmoot.flight.player import Player, Wanted
from folkmoot.flight.recorder import Recorder
from folkmoot.flight.recording import Recording
from folkmoot.hop import member
from folkmoot.serve import conversation
from folkmoot.serve.lesson import learn
from folkmoot.serve.program import Learner
from folkmoot.simulate.faults.plan import Plan, draw
from folkmoot.simulate.faults.trial import play
from folkmoot.simulate.faults.witness import Witness
from folkmoot.simulate.faults.world import World
from folkmoot.simulate.scenario.examples import Held
from folkmoot.tasks import digits
from folkmoot.wire import bundle, codec, partial
from folkmoot.wire.messages import Hello
from folkmoot_cloud import simulated
from folkmoot_device.simulated import Work

WHOLE = 1 << 30  # bytes of a recording of which nothing goes
TASK = "digits-mlp"


def recorded(world: World, folder: Path, limit: int = WHOLE) -> None:
    """Has the gateways and the cloud of a world recorded, each in a folder of its name."""
    for name in ("cloud", *world.gateways):
        host = world.hosts[name]
        host.recorder = Recorder(folder / name, limit, wall=host.wall, spare=0)


def seeded(seed: int, folder: Path, limit: int = WHOLE, **changes: Any) -> World:
    """Gives the world of a seed when its run is over, recorded. `changes`: of the seed's plan."""
    world = World(replace(draw(seed), **changes))
    witness = Witness(world)
    world.ears.committed, world.ears.stepped = witness.store, witness.step
    recorded(world, folder, limit)
    play(world, witness)
    return world


def replayed(folder: Path, wanted: Wanted | None = None) -> Player:
    """Gives the replay of a recording."""
    player = Player(Recording(folder), wanted)
    player.play()
    return player


class Pupil:
    """A device that really trains (folkmoot_device.simulated.Trade); in rounds that `spoils` names it answers with rubbish."""

    def __init__(self, name: str, learner: Learner, x: Array, y: Array, spoils: frozenset[int]) -> None:
        self.hello = Hello(data=digits.CONTRACT, examples=len(y))
        self._name, self._learner, self._spoils = name, learner, spoils
        self._batches = Held(x, y.astype(np.int32), 1, learner.manifest.batch)

    def work(self, item: member.Member, library: Any) -> Work:
        """Does an Ask."""
        ask, weights = item.ask, library.read(item.ask.weights)
        self._learner.set_weights(weights)
        job = conversation.Work(**conversation.wanted(self._name, ask))
        payload = learn(self._learner, self._batches, job, lambda: None).payload(self._name, 1.0, 0)
        if ask.phase == "train" and ask.round in self._spoils:
            payload = spoilt(payload)
        return Work(1_000 + len(self._name), payload)


def spoilt(payload: bytes) -> bytes:
    """Gives an update that goes the other way, and far."""
    found = partial.load(payload, limit=len(payload))
    groups = {
        name: msgspec.structs.replace(group, data=(-40 * np.frombuffer(group.data, "<f4")).astype("<f4").tobytes())
        for name, group in found.groups.items()
    }
    assert {group.tag for group in groups.values()} == {codec.FLOAT32}
    return partial.dump(msgspec.structs.replace(found, groups=groups))


def school(folder: Path, homes: dict[str, tuple[str, ...]], spoilers: dict[str, frozenset[int]], rounds: int = 3) -> World:
    """Gives a world in which digits were learnt, recorded. `spoilers`: device to the rounds that it spoils."""
    _, program = bundle.load(tasks.read(TASK))
    world = World(Plan(1, homes))
    dealt, _ = digits.load()
    names = list(world.devices)
    shards = partition.homes(dealt.y, [len(names)], np.random.default_rng(0))[0]
    learner, shape = Learner(program), program.manifest.contract.x_shape
    for name, shard in zip(names, shards, strict=True):
        x = dealt.x[shard].reshape(-1, *shape)
        world.devices[name].trade = Pupil(name, learner, x, dealt.y[shard], spoilers.get(name, frozenset()))
    recorded(world, folder)
    world.start()
    world.cloud.enter(simulated.launched({"rounds": rounds}, tasks.read(TASK), 1))
    world.run(lambda: world.finished)
    world.wait(60_000)
    return world


def exam(path: Path) -> Path:
    """Writes the digits that no device was dealt; gives the file."""
    _, held = digits.load()
    np.savez(path, x=held.x, y=held.y)
    return path
