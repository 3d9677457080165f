"""What every node has around its program: a folder, the time, the driver, and a port for each hop."""

import asyncio
import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from folkmoot import ids
from folkmoot.clock import Timeline, wall_ms
from folkmoot.link.backoff import Backoff
from folkmoot.link.face import Session
from folkmoot.link.mqtt import MqttLink
from folkmoot.link.settings import Broker
from folkmoot.serve.driver import Driver, Local, Node
from folkmoot.serve.health import Health
from folkmoot.serve.outlet import Outlet
from folkmoot.serve.port import Births, Port
from folkmoot.store.cache import Cache
from folkmoot.store.ledger import Ledger
from folkmoot.store.spool import Spool
from folkmoot.wire.topics import Tree

CACHE = 256 << 20  # bytes of programs and weights that are kept: a Pi's card has gigabytes, its owner other uses for them
INLINE = 65_536  # bytes of a payload that travels inside a message (protocol.md, 4)


@dataclass(frozen=True, slots=True)
class Traffic:
    """How one hop's session behaves (protocol.md, Numbers to start from)."""

    window: int
    receive_maximum: int
    expiry_s: int
    will_delay_s: int


DEVICE = Traffic(window=4, receive_maximum=4, expiry_s=86_400, will_delay_s=0)
HOME = Traffic(window=32, receive_maximum=32, expiry_s=86_400, will_delay_s=0)
UPLINK = Traffic(window=8, receive_maximum=16, expiry_s=7 * 86_400, will_delay_s=0)
CLOUD = Traffic(window=32, receive_maximum=32, expiry_s=3_600, will_delay_s=0)


class Station:
    """A node's place on this machine."""

    def __init__(self, folder: Path) -> None:
        """Opens the folder. Raises StoreFault where it cannot be used."""
        self.ledger = Ledger(folder / "ledger.db")
        self.cache = Cache(folder / "cache", CACHE)
        self.spool = Spool(folder / "spool")
        self.boot = self.ledger.count("boot")
        local = Local(self.ledger)
        self.timeline = Timeline(local.mark)
        self.driver = Driver(local, self.timeline)
        self.health = Health(folder)
        self.ports: dict[str, Port] = {}

    def join(self, hop: str, broker: Broker, tree: Tree, me: str, *, upper: bool, traffic: Traffic) -> Births:
        """Adds a hop: a session with a broker, as its upper or its lower end. Gives the counter of its connections."""
        port = Port(hop, self.driver.post, self.timeline)
        births = Births(self.ledger, hop)
        member = "" if upper else me
        session = Session(
            client=f"{me}-{hop}" if upper else me,
            filters=tree.upper_filters() if upper else tree.lower_filters(me),
            will=lambda: port.will(member, births.next(), traffic.will_delay_s),
            keepalive_s=broker.keepalive_seconds,
            expiry_s=traffic.expiry_s,
            receive_maximum=traffic.receive_maximum,
            window=traffic.window,
        )
        link = MqttLink(broker.endpoint(), session, port.hear, Backoff(random.Random()))  # noqa: S311  # spreads reconnects
        port.attach(link, Outlet(link, tree, me, upper=upper, boot=self.boot, make_id=ids.fresh, wall=wall_ms))
        port.farewell = lambda: port.goodbye(member, births.current)
        port.standing = partial(self.health.note, hop)
        port.standing(False)
        self.ports[hop] = port
        return births

    async def run(self, node: Node, until: asyncio.Event) -> None:
        """Keeps the node going until `until` is set; then says goodbye. Raises StoreFault where the store fails."""
        driving = asyncio.create_task(self.driver.run(node, self.ports))
        ending = asyncio.create_task(until.wait())
        for port in self.ports.values():
            port.link.start()
        try:
            await asyncio.wait((driving, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            self.driver.stop()
            await asyncio.gather(*(port.leave() for port in self.ports.values()))
            await driving
            self.spool.close()
            self.ledger.close()
