"""Runs the rounds in the cloud's process: one link to the broker, one driver, and a lease for every shard that is ours.

Whatever goes wrong with the store ends one life of the program, and so does a shard that is lost to another replica; the next
life is built from the database a moment later. So there is one way to recover, which every start exercises.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from folkmoot import __version__, ids
from folkmoot.clock import Timeline, monotonic_ms, wall_ms
from folkmoot.errors import DiskFault, FolkmootError, PeerFault, StoreFault, UserFault
from folkmoot.flight import recorder as flights
from folkmoot.flight.recorder import Flight, Recorder
from folkmoot.hop.events import Opened
from folkmoot.hop.upper import PREFIX
from folkmoot.link.backoff import Backoff
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Connected, Disconnected, Event, Session
from folkmoot.link.mqtt import MqttLink
from folkmoot.log import Outage
from folkmoot.serve.driver import Driver
from folkmoot.serve.lives import Room
from folkmoot.serve.outlet import Outlet
from folkmoot.serve.port import Port
from folkmoot.serve.station import CLOUD, INLINE
from folkmoot.store.spool import Spool
from folkmoot.wire.topics import SHARDS, Tree
from folkmoot_cloud import clock
from folkmoot_cloud.engine import Context
from folkmoot_cloud.journal import repository as entries
from folkmoot_cloud.leases import service as leases
from folkmoot_cloud.leases.service import Identity
from folkmoot_cloud.leases.watch import BEAT, Watch
from folkmoot_cloud.runner import load
from folkmoot_cloud.runner.abandon import abandon
from folkmoot_cloud.runner.flight import Frame, Top
from folkmoot_cloud.runner.journal import DatabaseJournal
from folkmoot_cloud.runner.load import Lost
from folkmoot_cloud.runner.node import Enter, Give, Take, Want
from folkmoot_cloud.runs import repository as runs
from folkmoot_cloud.runs.repository import Wanted
from folkmoot_cloud.shortage import shortage
from folkmoot_cloud.tenants.service import MAIN

log = logging.getLogger(__name__)

AGAIN = 1.0  # seconds until the next life, when a store has failed
GRACE = 45_000  # ms from away to gone: 1.5 keepalives of 30 s

ANY = 1 << 62  # bytes: how much of a data folder's disk is the cloud's is for its operators to say
# Partials of a hundred thousand parameters travel inside one message; the cloud's broker is configured by us.
INLINE_DOWN = 2 * INLINE


class Runner:
    """The engine of one replica (folkmoot_cloud.engine.Engine)."""

    def __init__(self, context: Context) -> None:
        self._context = context
        broker = context.settings.broker
        self._endpoint: Endpoint = broker.endpoint()
        self._me = Identity(context.settings.replica, secrets.token_hex(8))
        self._watch = Watch()
        self._anew = True  # this process has not been on the table yet
        self._life: Life | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._outage = Outage()
        self._room = Room(context.settings.data)
        self._recorder: Recorder | None = None
        self._broken = ""

    async def start(self) -> None:
        """Takes up the work in the background. Raises UserFault where it is to record into a folder that cannot be used."""
        settings = self._context.settings
        self._recorder = flights.recorder(settings.record, f"cloud-{settings.replica}", settings.record_limit)
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
                self._life = await Life.begin(
                    self._context, self._endpoint, self._me, self._watch, flights.flight(self._recorder), anew=self._anew
                )
                self._anew = False
                if self._outage.ends():
                    log.info("runner is back")
                self._broken = ""
                await self._life.run(self._stopping)
            except (FolkmootError, SQLAlchemyError, OSError) as error:
                self._life = None
                await self._pause(error)
            finally:
                self._life = None

    async def _pause(self, error: Exception) -> None:
        """Waits until it is worth another try: a moment, or until a disk that is full has room."""
        fault = shortage(error, self._context.settings.data)
        if fault is not None:
            self._broken = f"{fault.why}: rounds go on when that is over"
            await self._room.wait(fault, self._stopping)
            return
        reason = str(error).partition("\n")[0]
        self._broken = f"the runner starts again: {reason}"
        if self._outage.begins():
            log.warning("runner starts again", extra={"reason": reason})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN):
                await self._stopping.wait()


class Life:
    """The program from one recovery to the next failure."""

    def __init__(self, context: Context, endpoint: Endpoint, me: Identity, watch: Watch, flight: Flight, ahead_ms: int) -> None:
        """`ahead_ms`: of the clock that all replicas share, compared with this machine's."""
        self._context = context
        self._me = me
        self._watch = watch
        self._leased: dict[str, int] = {}  # shard to the token of its lease
        self._entered: set[str] = set()  # runs that the program has been told of, until their end is stored
        self._lacking: set[str] = set()  # runs of which something is not there
        self._looks: asyncio.Queue[str | None] = asyncio.Queue()  # None: the end
        self._over = asyncio.Event()
        self.connected = False
        settings = context.settings
        self._tree = tree = Tree(settings.namespace)
        self._timeline = timeline = Timeline(wall=lambda: wall_ms() + ahead_ms)
        # Pieces of what is on its way to one replica are of no use to another: each has a folder of its own for them.
        self._spool = Spool(settings.data / "spool" / me.name, ANY)
        self._flight = flight
        frame = Frame(
            namespace=settings.namespace,
            replica=me.name,
            software=f"folkmoot {__version__}",
            inline=INLINE_DOWN,
            grace=GRACE,
            shards=frozenset(),
        )
        top = Top(frame, flight.spool(self._spool))
        self._node = top.node
        flight.begin(top, timeline.now())
        self._driven = flight.wrap(top.node)
        self._journal = DatabaseJournal(context, MAIN, self._node, tree.shard, self._leased)
        self._journal.ended, self._journal.given, self._journal.look = self._ended, self._subscribe, self.look
        self._driver = Driver(self._journal, timeline)
        self._port = Port("down", self._driver.post, timeline)
        session = Session(
            client=me.name,
            filters=tree.upper_filters(()),
            former=tuple({one for part in (SHARDS, SHARDS[::2], SHARDS[1::2]) for one in tree.upper_filters(part)}),
            will=lambda: self._port.will("", 0, 0),
            keepalive_s=settings.broker.keepalive_seconds,
            expiry_s=CLOUD.expiry_s,
            receive_maximum=CLOUD.receive_maximum,
            window=CLOUD.window,
        )
        link = MqttLink(endpoint, session, self._hear, Backoff(random.Random()))  # noqa: S311  # spreads reconnects
        self._port.attach(link, Outlet(link, tree, "cloud", upper=True, boot=0, make_id=ids.fresh, wall=wall_ms))
        self._port.outlet.sent = flight.sent(top.sent)
        self._port.farewell = lambda: self._port.goodbye("", 0)

    @classmethod
    async def begin(
        cls, context: Context, endpoint: Endpoint, me: Identity, watch: Watch, flight: Flight, *, anew: bool
    ) -> "Life":
        """Gives a life that goes on from what the database holds; `anew`: the first one of this process.

        Raises what the database raises, and Displaced where another process has this replica's name.
        """
        async with context.database.write(firm=False) as session:
            await leases.enter(session, MAIN, me, watch, monotonic_ms(), anew=anew)
            ahead = await entries.wall(session) - wall_ms()
        return cls(context, endpoint, me, watch, flight, ahead)

    async def run(self, until: asyncio.Event) -> None:
        """Lives until `until` is set. Raises StoreFault where a step cannot be stored, and what the database raises."""
        await self._take_turn()  # before any message: an answer for a round that is not here yet would be told that it is late
        self._port.link.start()
        ending = asyncio.create_task(until.wait())
        work = (
            asyncio.create_task(self._driver.run(self._driven, {"down": self._port})),
            asyncio.create_task(self._look_for_runs()),
            asyncio.create_task(self._beat()),
        )
        await asyncio.wait({ending, *work}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        self._driver.stop()
        self._over.set()
        self._looks.put_nowait(None)
        await self._port.leave()
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        self._spool.close()
        if until.is_set():
            await self._release()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._flight.end()

    def look(self, run_id: str) -> None:
        """Has another look at a run, soon."""
        self._looks.put_nowait(run_id)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Connected | Disconnected):
            self.connected = isinstance(event, Connected)
        self._port.hear(event)

    # Shards.

    async def _beat(self) -> None:
        """Tells the other replicas that this one lives: beside everything else, for a large run takes long to be read."""
        while not self._over.is_set() and not self._context.database.sqlite:
            async with self._context.database.write(firm=False) as session:
                await leases.beat(session, MAIN, self._me)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await self._over.wait()
        await self._over.wait()

    async def _take_turn(self) -> None:
        """Takes up shards that nobody has, and lets go of those that are others' part."""
        if len(self._leased) == len(SHARDS) and self._context.database.sqlite:
            return
        async with self._context.database.write() as session:
            turn = await leases.turn(session, MAIN, self._me, self._watch, monotonic_ms(), self._leased)
        if turn.taken:
            self._leased.update(turn.taken)
            log.info("shards taken up", extra={"replica": self._me.name, "taken": len(turn.taken), "all": len(self._leased)})
            async with self._context.database.read() as session:
                found = await runs.unfinished(session, MAIN)
            entered = [await self._load(run.id) for run in found if self._tree.shard(run.id) in turn.taken]
            self._driver.post("leases", Take(frozenset(turn.taken), [one for one in entered if one is not None]))
            self._subscribe()
        elif turn.surplus:
            self._driver.post("leases", Give(turn.surplus))

    def _subscribe(self) -> None:
        """Hears the shards that are ours: those that were taken up only now that the program has their runs."""
        self._port.link.subscribe(self._tree.upper_filters(self._leased))

    async def _release(self) -> None:
        with contextlib.suppress(FolkmootError, SQLAlchemyError, OSError):
            async with self._context.database.write() as session:
                await leases.leave(session, MAIN, self._me, self._leased)

    # Runs.

    async def _look_for_runs(self) -> None:
        """Has a look at runs that somebody names, and from time to time at all and at the leases."""
        loop = asyncio.get_running_loop()
        until = loop.time() + BEAT
        while True:
            try:
                async with asyncio.timeout_at(until):
                    named = await self._looks.get()
            except TimeoutError:
                await self._take_turn()
                async with self._context.database.read() as session:
                    found = await runs.unfinished(session, MAIN)
                for run in found:
                    await self._see(run)
                await self._retract([run.id for run in found])
                until = loop.time() + BEAT
                continue
            if named is None:
                return
            async with self._context.database.read() as session:
                row = await runs.find(session, MAIN, named)
            if row is not None and row.status != "finished":
                await self._see(Wanted(named, row.desired, row.rounds))
                await self._retract([named])

    async def _see(self, run: Wanted) -> None:
        """Enters a run of ours, or sees what an operator has changed about it: perhaps by way of another replica."""
        if self._tree.shard(run.id) not in self._leased:
            return
        campaign = self._node.campaigns.get(run.id)
        if campaign is not None:
            if (campaign.desired, campaign.rounds) != (run.desired, run.rounds):
                self._driver.post("runs", Want(run.id, run.desired, run.rounds))  # type: ignore[arg-type]
        elif run.id not in self._entered:
            entered = await self._load(run.id)
            if entered is not None:
                self._driver.post("runs", entered)

    async def _retract(self, named: Sequence[str]) -> None:
        """Sees which devices somebody wants out of the open rounds of these runs, here or at another replica."""
        mine = [run for run in named if run in self._node.campaigns]
        async with self._context.database.read() as session:
            wanted = await load.retractions(session, self._context, MAIN, mine)
        for one in wanted:
            self._driver.post("runs", one)

    async def _load(self, run_id: str) -> Enter | None:
        """Gives a run as the database has it now; None where it is over, or cannot be gone on with, or not yet."""
        try:
            async with self._context.database.read() as session:
                run = await runs.find(session, MAIN, run_id)
                if run is None or run.status == "finished":
                    return None
                entered = await load.enter(session, self._context, run, self._timeline.now())
        except (Lost, PeerFault, UserFault) as fault:
            await self._give_up(run_id, str(fault))
            return None
        except DiskFault:
            raise
        except StoreFault as fault:
            # A lost file may be a folder that is not mounted: the run is looked at again with the next beat, and the others
            # go on meanwhile.
            if run_id not in self._lacking:
                log.error("run waits for a file that is not there", extra={"run": run_id, "reason": str(fault)})
            self._lacking.add(run_id)
            return None
        self._lacking.discard(run_id)
        self._entered.add(run_id)
        if entered.history:
            opened = entered.history[0][1]
            assert isinstance(opened, Opened)
            self._journal.ahead[PREFIX + opened.key] = entered.ahead
        return entered

    def _ended(self, run_id: str) -> None:
        """A run has ended, and that is stored; if it has more rounds to go after all, it is entered again."""
        self._entered.discard(run_id)
        self.look(run_id)

    async def _give_up(self, run_id: str, reason: str) -> None:
        """Ends a run that cannot be gone on with: it must not stand in the way of the others."""
        log.error("run cannot be gone on with", extra={"run": run_id, "reason": reason})
        shard = self._tree.shard(run_id)
        async with self._context.database.write() as session:
            await leases.hold(session, MAIN, {shard: self._leased.get(shard, 0)})
            orphans = await abandon(session, MAIN, run_id, reason, clock.now())
        for digest in orphans:
            await self._context.blobs.delete(MAIN, digest)
