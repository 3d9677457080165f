"""What every node has around its program: a folder, the time, the driver, and a port for each hop."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from folkmoot import ids
from folkmoot.clock import Timeline, wall_ms
from folkmoot.errors import DiskFault, StoreFault
from folkmoot.link.backoff import Backoff
from folkmoot.link.face import Session
from folkmoot.link.mqtt import MqttLink
from folkmoot.link.settings import Broker
from folkmoot.serve.driver import Driver, Local, Node
from folkmoot.serve.health import Health
from folkmoot.serve.outlet import Outlet
from folkmoot.serve.port import Births, Port
from folkmoot.serve.silence import Silence
from folkmoot.store import disk
from folkmoot.store.cache import Cache
from folkmoot.store.ledger import Ledger
from folkmoot.store.spool import Spool
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree

CACHE = 256 << 20  # bytes of programs and weights that are kept: a Pi's card has gigabytes, its owner other uses for them
INLINE = 65_536  # bytes of a payload that travels inside a message (protocol.md, 4)
# Seconds by which CONNECT asks for a shorter keepalive than the settings say. A broker ends a session that was silent for 1.5
# keepalives when it looks next, which Mosquitto 2.0.11 does every five seconds, and up to six were measured: so 1.5 of the
# settings' are not exceeded from 20 s on. Of a short one it is a fifth: nobody is to ping every second.
EARLY = 5


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


class Resident(Node, Protocol):
    """A node that lives in a station."""

    def rest(self) -> Mapping[str, Hello]:
        """Ends the work that is under way, which cannot be stored; gives what it says of itself on each hop above it."""
        ...


Wait = Callable[[DiskFault, asyncio.Event, Callable[[], None]], Awaitable[None]]
"""Returns when the disk does again, or the event is set; calls the third argument from time to time (lives.Room.wait)."""


class Station:
    """A node's place on this machine, for one life of it."""

    def __init__(self, folder: Path, wait: Wait | None = None) -> None:
        """Opens the folder; `wait` is for a disk that does not do. Raises StoreFault where the folder cannot be used."""
        self._wait = wait
        self.lived = False  # it has run
        self.ledger = Ledger(folder / "ledger.db")
        try:
            self.cache = Cache(folder / "cache", CACHE)
            self.spool = Spool(folder / "spool", disk.share(folder))
            self.boot = self.ledger.count("boot")
            local = Local(self.ledger)
            self.timeline = Timeline(local.mark)
        except BaseException:
            self.ledger.close()
            raise
        self.driver = Driver(local, self.timeline)
        self.health = Health(folder)
        self.ports: dict[str, Port] = {}
        self._silences: dict[str, Silence] = {}
        self._silent = False

    def close(self) -> None:
        """Lets go of the folder."""
        self.spool.close()
        self.ledger.close()

    def join(self, hop: str, broker: Broker, tree: Tree, me: str, *, upper: bool, traffic: Traffic) -> Births:
        """Adds a hop: a session with a broker, as its upper or its lower end. Gives the counter of its connections."""
        port = Port(hop, self._post, self.timeline)
        births = Births(self.ledger, hop)
        member = "" if upper else me
        session = Session(
            client=f"{me}-{hop}" if upper else me,
            filters=tree.upper_filters() if upper else tree.lower_filters(me),
            will=lambda: port.will(member, births.next(), traffic.will_delay_s),
            keepalive_s=broker.keepalive_seconds - min(EARLY, broker.keepalive_seconds // 5),
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
        self._silences[hop] = Silence(port, tree, me, births, upper=upper, limit=session.max_packet)
        return births

    async def run(self, node: Resident, until: asyncio.Event) -> None:
        """Keeps the node going until `until` is set; then says goodbye.

        Where the store fails, the node is no more: nothing of its last step is done or acknowledged. Raises StoreFault; a
        DiskFault when the disk does again, if this station knows how to wait for that: it is time for the next life.
        """
        self.lived = True
        driving = asyncio.create_task(self.driver.run(node, self.ports))
        ending = asyncio.create_task(until.wait())
        for port in self.ports.values():
            port.link.start()
        try:
            await asyncio.wait((driving, ending), return_when=asyncio.FIRST_COMPLETED)
            fault = driving.exception() if driving.done() and not driving.cancelled() else None
            if isinstance(fault, DiskFault) and self._wait is not None:
                await self._stand_still(fault, node, until, self._wait)
        finally:
            ending.cancel()
            self.driver.stop()
            # One that goes on in a moment says no goodbye: its peers would count it out.
            await asyncio.gather(*(port.leave(for_good=until.is_set() or not self._silent) for port in self.ports.values()))
            try:
                await driving
            except DiskFault:
                if not (self._silent and until.is_set()):
                    raise
            finally:
                self.close()

    async def _stand_still(self, fault: DiskFault, node: Resident, until: asyncio.Event, wait: Wait) -> None:
        """Keeps the connections, takes nothing in, and says why, until the disk does again."""
        known: list[str] = []
        with suppress(StoreFault):  # a disk that cannot even be read: nothing that comes is known then
            known = self.ledger.machines()
        hellos = node.rest()
        for hop, silence in self._silences.items():
            silence.begin(hellos.get(hop), known, fault)
        self._silent = True
        self.health.hinder(fault.why)
        self._announce()
        for hop, event in self.driver.left:
            self._post(hop, event)
        await wait(fault, until, self._announce)

    def _announce(self) -> None:
        for silence in self._silences.values():
            silence.announce(self.timeline.now())

    def _post(self, hop: str, event: Any) -> None:
        """Takes what a port says."""
        if self._silent:
            if hop in self._silences:
                self._silences[hop].hear(event, self.timeline.now())
        else:
            self.driver.post(hop, event)
