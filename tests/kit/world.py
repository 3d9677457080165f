"""A whole federation in one process on virtual time: the real programs on real files, joined by brokers in memory.

Nothing in it happens that the seed does not decide, so a law that breaks, breaks again.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from folkmoot.clock import EARLIEST, Mark, Timeline
from folkmoot.hop import member
from folkmoot.hop.batch import Batch
from folkmoot.hop.lower import Lower
from folkmoot.hop.upper import PREFIX, Upper
from folkmoot.link.adversary import Adversary
from folkmoot.link.face import Session
from folkmoot.link.hub import Hub
from folkmoot.link.memory import MemoryLink
from folkmoot.serve.outlet import Outlet
from folkmoot.serve.port import Births, Port
from folkmoot.store.cache import Cache
from folkmoot.store.ledger import Ledger
from folkmoot.store.spool import Spool
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree
from folkmoot_cloud.runner.campaign import Campaign
from folkmoot_cloud.runner.facts import Evaluated, Fact, Learnt, RoundClosed, RunMoved
from folkmoot_cloud.runner.node import Cloud, Enter
from folkmoot_device.agent import Agent, Trained, Trainer
from folkmoot_gateway.node import Gateway
from tests.kit import toy

GRACE = 90_000


class Host:
    """One machine: a folder that outlives crashes, and a program that does not."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.folder = world.folder / name
        self.up = False
        self.inbox: list[tuple[str, Any]] = []
        self.ports: dict[str, Port] = {}
        self.faults = 0

    def start(self) -> None:
        """Boots the machine."""
        self.ledger = Ledger(self.folder / "ledger.db")
        self.cache = Cache(self.folder / "cache", 1 << 30)
        self.spool = Spool(self.folder / "spool")
        self.boot = self.ledger.count("boot")
        now = self.ledger.fact("now")
        mark = None if now is None else Mark(int(now), int(self.ledger.fact("wall")))
        self.timeline = Timeline(mark, lambda: self.world.now, lambda: EARLIEST + self.world.now)
        self.inbox, self.ports, self.up = [], {}, True
        self.node = self.make()
        for port in self.ports.values():
            port.link.start()

    def make(self) -> Any:
        """Gives the program, restored."""
        raise AssertionError

    def join(self, hop: str, hub: Hub, tree: Tree, me: str, upper: bool) -> Births:
        """Puts a hop on a broker in memory."""
        port = Port(hop, lambda source, event: self.inbox.append((source, event)), self.timeline)
        births = Births(self.ledger, hop)
        session = Session(
            client=f"{me}-{hop}" if upper else me,
            filters=tree.upper_filters() if upper else tree.lower_filters(me),
            will=lambda: port.will("" if upper else me, births.next(), 0),
            window=32 if upper else 8,
            receive_maximum=32 if upper else 8,
        )
        link = MemoryLink(hub, session, port.hear)
        outlet = Outlet(
            link, tree, me, upper=upper, boot=self.boot, make_id=self.world.id, wall=lambda: EARLIEST + self.world.now
        )
        port.attach(link, outlet)
        self.ports[hop] = port
        return births

    @property
    def wake(self) -> int | None:
        """When to step, in the world's time; at once where something has come."""
        if not self.up:
            return None
        wake = self.node.wake
        return self.world.now if self.inbox else None if wake is None else self.world.now + max(0, wake - self.timeline.now())

    def step(self) -> None:
        """Takes all that has come: decide, store, do."""
        inputs, self.inbox = self.inbox, []
        batches = self.node.step(inputs, self.timeline.now())
        self.ledger.commit(batches.values(), {"now": self.timeline.now(), "wall": self.timeline.mark().wall})
        self.stored()
        for hop, batch in batches.items():
            self.ports[hop].perform(batch)
        self.node.perform()

    def stored(self) -> None:
        """Hears that the step is on the disk."""

    def kill(self) -> None:
        """Ends the program as kill -9 does."""
        self.up = False
        for port in self.ports.values():
            assert isinstance(port.link, MemoryLink)
            port.link.kill()
        self.ledger.close()


class DeviceHost(Host):
    """A device, whose training takes `seconds` of virtual time."""

    def __init__(self, world: "World", name: str, gateway: str) -> None:
        super().__init__(world, name)
        self.gateway = gateway
        self.train_ms = world.rng.randint(50, 3_000)
        self.trained = 0

    def make(self) -> Agent:
        tree = Tree("fl", self.gateway)
        above = Lower(tree, self.name, self.cache, self.spool, self.ledger, 65_536)
        above.hello = Hello(data=toy.CONTRACT, examples=toy.examples(self.name))
        births = self.join("up", self.world.homes[self.gateway], tree, self.name, upper=False)
        agent = Agent(above, Trainer(self._train, self._stop), lambda: births.current, lambda: "")
        agent.restore(list(self.ledger.histories()))
        return agent

    def _train(self, item: member.Member) -> None:
        life, ask, deed = self.node, item.ask, item.id

        def done() -> None:
            if self.up and self.node is life:
                self.trained += 1
                self.inbox.append(("work", Trained(deed, toy.payload(self.name, ask, self.world.parameters))))

        self.world.homes[self.gateway].at(self.world.now + self.train_ms, done)

    def _stop(self, ask: bytes) -> None:
        self.inbox.append(("work", None))


class GatewayHost(Host):
    """A home's gateway."""

    def make(self) -> Gateway:
        cloud, home = Tree("fl"), Tree("fl", self.name)
        above = Lower(cloud, self.name, self.cache, self.spool, self.ledger, 131_072)
        above.hello = Hello(devices=())
        below = Upper(home, self.name, self.spool, 65_536)
        births = {
            "up": self.join("up", self.world.cloud_hub, cloud, self.name, upper=False),
            "down": self.join("down", self.world.homes[self.name], home, self.name, upper=True),
        }
        self.ports["down"].outlet.sent = below.sent
        node = Gateway(above, below, self.cache, GRACE, lambda hop: births[hop].current)
        lost = node.restore(list(self.ledger.histories()), self.ledger.payload)
        self.ledger.commit([Batch(0, forgets=lost)], {})
        return node


class CloudHost(Host):
    """The cloud; its tables are a list of facts, and the campaigns as the last stored fact left them."""

    def __init__(self, world: "World") -> None:
        super().__init__(world, "cloud")
        self.facts: list[Fact] = []
        self.durable: dict[str, Campaign] = {}
        self.models: dict[tuple[str, int], str] = {}  # run and round to the sha256 of the model after it

    def make(self) -> Cloud:
        tree = Tree("fl")
        below = Upper(tree, "cloud", self.spool, 131_072)
        self.join("down", self.world.cloud_hub, tree, "cloud", upper=True)
        self.ports["down"].outlet.sent = below.sent
        node = Cloud(below, GRACE)
        histories = dict(self.ledger.histories())
        for run, campaign in self.durable.items():
            mine = [key for key in histories if key.startswith(f"{PREFIX}{run}/")]
            assert len(mine) <= 1
            history: Any = histories[mine[0]] if mine else ()
            owner = mine[0] if mine else ""
            fresh = dataclasses.replace(campaign)
            self.inbox.append(("runs", Enter(fresh, history, lambda sha, owner=owner: self.ledger.payload(owner, sha))))
        return node

    def enter(self, campaign: Campaign) -> None:
        """Begins a run."""
        self.durable[campaign.spec.run] = dataclasses.replace(campaign)
        self.inbox.append(("runs", Enter(campaign)))

    def stored(self) -> None:
        for fact in self.node.facts:
            match fact:
                case Learnt(run, number, campaign):
                    self.durable[run] = dataclasses.replace(campaign, key="", number=number)
                    self.models[run, number] = campaign.digest.hex()
                case RoundClosed(run, number):
                    self.durable[run].number = number
                    if run in self.node.campaigns:
                        self.durable[run].past = self.node.campaigns[run].past
                case Evaluated(run, version):
                    self.durable[run].evaluated = version
                case _:
                    pass
        self.facts += self.node.facts
        self.node.facts = []


class World:
    """Homes by gateway, each with its devices and a broker; one cloud with another."""

    def __init__(
        self,
        folder: Path,
        homes: Mapping[str, list[str]],
        *,
        seed: int = 0,
        adversary: Adversary | None = None,
        parameters: int = 50,
    ) -> None:
        self.folder, self.parameters, self.now = folder, parameters, 0
        self.rng = Random(seed)
        self.cloud_hub = Hub(Random(self.rng.random()), adversary)
        self.homes = {name: Hub(Random(self.rng.random()), adversary) for name in homes}
        self._ids = 0
        self.cloud = CloudHost(self)
        self.gateways = {name: GatewayHost(self, name) for name in homes}
        self.devices = {name: DeviceHost(self, name, gateway) for gateway, names in homes.items() for name in names}
        self.hosts: dict[str, Host] = {"cloud": self.cloud, **self.gateways, **self.devices}

    def id(self) -> bytes:
        """Gives a message id."""
        self._ids += 1
        return self._ids.to_bytes(16, "big")

    def start(self) -> None:
        """Boots every machine."""
        for host in self.hosts.values():
            host.start()

    @property
    def finished(self) -> bool:
        """Whether every run is over."""
        over = {fact.run for fact in self.cloud.facts if isinstance(fact, RunMoved) and fact.status == "finished"}
        return over == set(self.cloud.durable)

    @property
    def rounds(self) -> list[RoundClosed]:
        """The records of the rounds that are over."""
        return [fact for fact in self.cloud.facts if isinstance(fact, RoundClosed)]

    def wait(self, ms: int) -> None:
        """Lets some time pass."""
        end = self.now + ms
        self.cloud_hub.at(end, lambda: None)
        self.run(lambda: self.now >= end)

    def run(self, until: Callable[[], bool], limit: int = 3_600_000) -> None:
        """Lets time pass until something is so; fails after `limit` ms of virtual time."""
        end = self.now + limit
        while not until():
            wakes = [hub.wake for hub in (self.cloud_hub, *self.homes.values())] + [host.wake for host in self.hosts.values()]
            nearest = min((wake for wake in wakes if wake is not None), default=None)
            assert nearest is not None, f"nothing will ever happen again, at {self.now} ms"
            assert nearest <= end, f"it is not so after {limit} ms"
            self.now = max(self.now, nearest)
            for hub in (self.cloud_hub, *self.homes.values()):
                hub.run(self.now)
            for host in self.hosts.values():
                if (wake := host.wake) is not None and wake <= self.now:
                    host.step()

    def close(self) -> None:
        """Ends every machine."""
        for host in self.hosts.values():
            if host.up:
                host.kill()
