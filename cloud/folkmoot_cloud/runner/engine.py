"""Runs the rounds in the cloud's process: one link to the broker, one driver, and a lease for every run that is ours.

Whatever goes wrong with the store ends one life of the program; the next one is built from the database a moment later. So
there is one way to recover, which every start exercises.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from folkmoot import __version__, ids
from folkmoot.clock import Mark, Timeline, wall_ms
from folkmoot.errors import FolkmootError, PeerFault, StoreFault, UserFault
from folkmoot.hop.upper import PREFIX, Upper
from folkmoot.link.backoff import Backoff
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Connected, Disconnected, Event, Session
from folkmoot.link.mqtt import MqttLink
from folkmoot.log import Outage
from folkmoot.serve.driver import Driver
from folkmoot.serve.outlet import Outlet
from folkmoot.serve.port import Port
from folkmoot.serve.station import CLOUD, INLINE
from folkmoot.store.spool import Spool
from folkmoot.wire.topics import Tree
from folkmoot_cloud import clock
from folkmoot_cloud.engine import Context
from folkmoot_cloud.journal import repository as entries
from folkmoot_cloud.leases import repository as leases
from folkmoot_cloud.runner import load
from folkmoot_cloud.runner.journal import LEASE, DatabaseJournal
from folkmoot_cloud.runner.load import Lost
from folkmoot_cloud.runner.node import Cloud, Want
from folkmoot_cloud.runs import progress
from folkmoot_cloud.runs import repository as runs
from folkmoot_cloud.tables import Run
from folkmoot_cloud.tenants.service import MAIN

log = logging.getLogger(__name__)

LOOK = LEASE / 3  # seconds between two looks for runs that nobody has, and two renewals of our leases
AGAIN = 1.0  # seconds until the next life, when a store has failed
GRACE = 45_000  # ms from away to gone: 1.5 keepalives of 30 s

# Partials of a hundred thousand parameters travel inside one message; the cloud's broker is configured by us.
INLINE_DOWN = 2 * INLINE


class Runner:
    """The engine of one replica (folkmoot_cloud.engine.Engine)."""

    def __init__(self, context: Context) -> None:
        self._context = context
        broker = context.settings.broker
        self._endpoint: Endpoint = broker.endpoint()
        self._owner = context.settings.replica
        self._life: Life | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._outage = Outage()
        self._broken = ""

    async def start(self) -> None:
        """Takes up the work in the background."""
        self._task = asyncio.create_task(self._live(), name="runner")

    async def stop(self) -> None:
        """Ends the present life in order and gives its leases back. Nothing is cancelled: a transaction ends as it began."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    def notify(self, run_id: str) -> None:
        """Has another look at a run."""
        if self._life is not None:
            self._life.look(run_id)

    def why_not_ready(self) -> str:
        """Gives why rounds cannot run now."""
        if self._broken:
            return self._broken
        if self._life is None or not self._life.connected:
            return f"the broker at {self._endpoint} is away"
        return ""

    async def _live(self) -> None:
        while not self._stopping.is_set():
            try:
                self._life = await Life.begin(self._context, self._endpoint, self._owner)
                if self._outage.ends():
                    log.info("runner is back")
                self._broken = ""
                await self._life.run(self._stopping)
            except (FolkmootError, SQLAlchemyError, OSError) as error:
                self._broken = f"the runner starts again: {error}"
                if self._outage.begins():
                    log.warning("runner starts again", extra={"reason": str(error).partition("\n")[0]})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN):
                        await self._stopping.wait()
            finally:
                self._life = None


class Life:
    """The program from one recovery to the next failure."""

    def __init__(self, context: Context, endpoint: Endpoint, owner: str, mark: Mark | None) -> None:
        self._context = context
        self._owner = owner
        self._leased: dict[str, int] = {}
        self._fresh: set[str] = set()  # runs that the program has not been told of yet
        self._looks: asyncio.Queue[str | None] = asyncio.Queue()  # None: the end
        self.connected = False
        settings = context.settings
        tree = Tree(settings.namespace)
        timeline = Timeline(mark)
        below = Upper(tree, "cloud", Spool(settings.data / "spool"), INLINE_DOWN)
        below.software = f"folkmoot {__version__}"
        self._node = Cloud(below, GRACE)
        journal = DatabaseJournal(context, MAIN, self._node, self._leased, self.look)
        self._driver = Driver(journal, timeline)
        self._port = Port("down", self._driver.post, timeline)
        session = Session(
            client=settings.replica,
            filters=tree.upper_filters(),
            will=lambda: self._port.will("", 0, 0),
            keepalive_s=settings.broker.keepalive_seconds,
            expiry_s=CLOUD.expiry_s,
            receive_maximum=CLOUD.receive_maximum,
            window=CLOUD.window,
        )
        link = MqttLink(endpoint, session, self._hear, Backoff(random.Random()))  # noqa: S311  # spreads reconnects
        self._port.attach(link, Outlet(link, tree, "cloud", upper=True, boot=0, make_id=ids.fresh, wall=wall_ms))
        self._port.outlet.sent = below.sent
        self._port.farewell = lambda: self._port.goodbye("", 0)

    @classmethod
    async def begin(cls, context: Context, endpoint: Endpoint, owner: str) -> "Life":
        """Gives a life that goes on from what the database holds. Raises what the database raises."""
        async with context.database.read() as session:
            marked = await entries.marked(session, MAIN)
        return cls(context, endpoint, owner, Mark(*marked) if marked is not None else None)

    async def run(self, until: asyncio.Event) -> None:
        """Lives until `until` is set. Raises StoreFault where a step cannot be stored, and what the database raises."""
        await self._take_up()  # before any message: an answer for a round that is not here yet would be told that it is late
        self._port.link.start()
        ending = asyncio.create_task(until.wait())
        work = (
            asyncio.create_task(self._driver.run(self._node, {"down": self._port})),
            asyncio.create_task(self._look_for_runs()),
        )
        await asyncio.wait({ending, *work}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        self._driver.stop()
        self._looks.put_nowait(None)
        await self._port.leave()
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        await self._release()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def look(self, run_id: str) -> None:
        """Has another look at a run, soon."""
        self._looks.put_nowait(run_id)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Connected | Disconnected):
            self.connected = isinstance(event, Connected)
        self._port.hear(event)

    async def _release(self) -> None:
        with contextlib.suppress(SQLAlchemyError, OSError):
            async with self._context.database.write() as session:
                for run, token in self._leased.items():
                    await leases.release(session, MAIN, run, token)

    # Runs.

    async def _take_up(self) -> None:
        """Takes up runs that nobody has."""
        async with self._context.database.read() as session:
            waiting = await runs.waiting(session, MAIN, clock.now(), self._owner)
        for run in waiting:
            await self._take(run)

    async def _look_for_runs(self) -> None:
        """Has a look at runs that somebody names, and from time to time at all; keeps the leases of ours."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOK
        while True:
            try:
                async with asyncio.timeout_at(until):
                    named = await self._looks.get()
            except TimeoutError:
                await self._renew()
                await self._take_up()
                await self._retract(sorted(self._leased))
                until = loop.time() + LOOK
                continue
            if named is None:
                return
            await self._again(named)

    async def _renew(self) -> None:
        """Keeps our leases, and gives those of runs that are over back."""
        self._fresh.difference_update(self._node.campaigns)
        over = [run for run in self._leased if run not in self._node.campaigns and run not in self._fresh]
        async with self._context.database.write(firm=False) as session:
            for run in over:
                await leases.release(session, MAIN, run, self._leased.pop(run))
            for run, token in self._leased.items():
                if not await leases.hold(session, MAIN, run, token, clock.now(), LEASE):
                    raise StoreFault(f"run {run} was taken up by another replica")

    async def _again(self, run_id: str) -> None:
        """Sees what an operator has changed about a run."""
        async with self._context.database.read() as session:
            run = await runs.find(session, MAIN, run_id)
        if run is None or run.status == "finished":
            return
        if run_id in self._node.campaigns:
            self._driver.post("runs", Want(run_id, run.desired, run.rounds))  # type: ignore[arg-type]
            await self._retract([run_id])
        else:
            await self._take(run)

    async def _retract(self, runs: Sequence[str]) -> None:
        """Sees which devices somebody wants out of the open rounds of these runs, here or at another replica."""
        async with self._context.database.read() as session:
            wanted = await load.retractions(session, self._context, MAIN, runs)
        for one in wanted:
            self._driver.post("runs", one)

    async def _take(self, run: Run) -> None:
        """Takes the lease of a run and goes on with it."""
        if run.id in self._node.campaigns:
            return
        async with self._context.database.write() as session:
            token = await leases.take(session, MAIN, run.id, self._owner, clock.now(), LEASE)
        if token is None:
            return
        try:
            async with self._context.database.read() as session:
                fresh = await runs.find(session, MAIN, run.id)
                assert fresh is not None
                entered = await load.enter(session, self._context, fresh)
        except (Lost, PeerFault, UserFault) as fault:
            await self._give_up(run.id, token, str(fault))
            return
        self._leased[run.id] = token
        self._fresh.add(run.id)
        self._driver.post("runs", entered)

    async def _give_up(self, run_id: str, token: int, reason: str) -> None:
        """Ends a run that cannot be gone on with: it must not stand in the way of the others."""
        log.error("run cannot be gone on with", extra={"run": run_id, "reason": reason})
        async with self._context.database.write() as session:
            await progress.finished(session, MAIN, run_id, "failed", reason, clock.now())
            for machine in await entries.machines(session, MAIN, f"{PREFIX}{run_id}/"):
                await entries.forget(session, MAIN, machine)
            await leases.release(session, MAIN, run_id, token)
