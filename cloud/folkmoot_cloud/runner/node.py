"""The cloud's program without its I/O: the top of the tree, and the campaigns that open rounds in it.

What a step decides comes out twice: as a batch for the hop, and as `facts`, which the journal writes into the tables in the
same transaction (folkmoot_cloud.runner.journal).
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal

from folkmoot.errors import PeerFault, UserFault
from folkmoot.hop import events
from folkmoot.hop.batch import Batch, Send
from folkmoot.hop.belated import Welcome
from folkmoot.hop.effects import Closed
from folkmoot.hop.open_round import History, Kept, Open
from folkmoot.hop.ports import ROOM
from folkmoot.hop.upper import PREFIX, Upper
from folkmoot.link.face import Arrived, Connected
from folkmoot.serve.driver import Input
from folkmoot.serve.sums import Sums
from folkmoot.wire import codec
from folkmoot.wire.messages import Answer, Hello, Request, Status
from folkmoot.wire.topics import NONE, SHARDS
from folkmoot_cloud.runner.campaign import Campaign, Waiting, quality
from folkmoot_cloud.runner.facts import (
    AnswerRefused,
    AnswerTaken,
    Evaluated,
    Fact,
    GatewayTold,
    Given,
    Learnt,
    RoundClosed,
    RoundOpened,
    RunMoved,
)
from folkmoot_cloud.runner.retraction import Postponed, Retract, Retracted

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Enter:
    """A run is to be gone on with; with its open round's journal where it has one."""

    campaign: Campaign
    history: History = ()
    kept: Kept = lambda sha256: None  # a default that keeps nothing
    ahead: int = 0  # ms that the time in `history` is ahead of the round's own, which its journal has
    retractions: tuple[Retract, ...] = ()  # that an earlier holder was asked for


@dataclass(frozen=True, slots=True)
class Take:
    """Shards are ours from now on, with all the runs in them: what comes about another one of theirs comes too late."""

    shards: frozenset[str]
    runs: Sequence[Enter] = ()


@dataclass(frozen=True, slots=True)
class Give:
    """So many of our shards are for other replicas, if there are as many without a run."""

    count: int


@dataclass(frozen=True, slots=True)
class Want:
    """An operator changed what a run is to do."""

    run: str
    desired: Literal["run", "pause", "stop"]
    rounds: int


class Cloud:
    """The program (folkmoot.serve.driver.Node)."""

    def __init__(self, below: Upper, grace: int, shards: Collection[str] = SHARDS) -> None:
        """`grace`: ms from away to gone for gateways; `shards`: those that are ours to begin with."""
        self.facts: list[Fact] = []
        self.campaigns: dict[str, Campaign] = {}
        self.connected = False
        self._below = below
        below.belated.standing, below.belated.refused = self._standing, self._note_refusal
        below.belated.wanted, below.belated.dropped = self._wanted, self._drop
        self._grace = grace
        self._shards = set(shards)
        self._moved: set[str] = set()  # runs that may go on
        self._now = 0  # ms of the timeline

    @property
    def wake(self) -> int | None:
        """When to step although nothing has come."""
        return self._below.wake

    def step(self, inputs: Sequence[Input], now: int) -> Mapping[str, Batch]:
        """Takes all that has come."""
        batch = Batch(now)
        self._now = now
        for _, event in inputs:
            match event:
                case Arrived():
                    self._hear(batch, event)
                case Connected():
                    self.connected = True
                    self._below.connected(batch, event.limits.max_packet)
                case Enter():
                    self._enter(batch, event)
                case Take():
                    self._take(batch, event)
                case Give(count):
                    self._give(count)
                case Want(run, desired, rounds):
                    self._want(batch, run, desired, rounds)
                case Retract():
                    self._retract(batch, event)
                case _:
                    pass
        self._below.tick(batch)
        self._turn(batch)
        return {"down": batch}

    def perform(self) -> None:
        """The cloud's work is all in its machines."""

    def _turn(self, batch: Batch) -> None:
        """Ends the rounds that are closed, and begins those that follow."""
        for open in [open for open in self._below.rounds.values() if open.round.state == "closed"]:
            self._finish(batch, open)
        while self._moved:
            self._go_on(batch, self._moved.pop())

    # What has come.

    def _hear(self, batch: Batch, event: Arrived) -> None:
        batch.acks.append(event.token)
        if event.topic == self._below.tree.upper_status:
            self._affirm(batch, event.payload)
            return
        if not self._ours(event.topic):
            return  # another replica's, or left over in a session from when it was ours: whatever we said might be wrong
        taken, told = len(batch.keeps), len(batch.journal)
        body = self._below.receive(batch, event.topic, event.payload)
        if isinstance(body, Status | Hello):
            self._tell(self._below.tree.place(event.topic).member)
            self._moved.update(self.campaigns)
        for keep in batch.keeps[taken:]:
            new = next(new for _, new in batch.journal[told:] if isinstance(new, events.Answered | events.Belated))
            key = keep.owner.removeprefix(PREFIX)
            self._note_answer(key, new, len(keep.content))
            machine = self._below.rounds[key].round
            if machine.state == "closed" and machine.opened.terms.behind is not None:
                self._turn(batch)  # what has come behind it counts in the next round, which must be open by then

    def _ours(self, topic: str) -> bool:
        try:
            shard = self._below.tree.place(topic).shard
        except PeerFault:
            return True  # the hop says what is wrong with it
        return shard == NONE or shard in self._shards

    def _affirm(self, batch: Batch, data: bytes) -> None:
        """Hears in the cloud's own name that it is down: of another replica, or of an earlier connection of ours. It is up."""
        try:
            said = codec.unseal(data, limit=ROOM).body
        except PeerFault:
            return
        if isinstance(said, Status) and said.state == "down":
            batch.sends.append(Send("", Status(state="up", birth=0, software=self._below.software), retain=True))

    def _tell(self, gateway: str) -> None:
        """Has the tables told of a gateway. All replicas hear of it; the one that holds the shard of its name writes."""
        if self._below.tree.shard(gateway) in self._shards:
            self.facts.append(GatewayTold(gateway, copy(self._below.roster.entries[gateway])))

    def _note_answer(self, key: str, new: events.Answered | events.Belated, size: int) -> None:
        machine = self._below.rounds[key].round
        asked = machine.opened.ask
        belated = new if isinstance(new, events.Belated) else None
        ask = machine.seats[new.member].ask if belated is None else belated.ask
        if asked.phase == "train":
            taken = AnswerTaken(asked.run, asked.round, ask, new.member, new.payload, size, len(new.leaves), belated)
            self.facts.append(taken)

    def _standing(self, member: str, ask: bytes, answer: Answer) -> Welcome | Literal["late", "dup", "wait"]:
        """Gives what an answer counts whose round is over (folkmoot.hop.belated)."""
        campaign = self.campaigns.get(answer.run)
        if campaign is None:
            return "late"
        open = self._below.rounds.get(campaign.key)
        if open is not None and ask in open.round.belated:
            return "dup"
        standing = campaign.standing(member, ask, answer)
        over = open is None or open.round.state != "open"
        return "wait" if isinstance(standing, Welcome) and over else standing

    def _note_refusal(self, member: str, ask: bytes, answer: Answer, reason: str) -> None:
        campaign = self.campaigns.get(answer.run)
        if campaign is not None and campaign.names(member, ask, answer):
            self.facts.append(AnswerRefused(answer.run, answer.round, member, answer.local, reason))
            campaign.release(member, ask)

    def _wanted(self, member: str, ask: bytes) -> bool:
        """Says whether a member is to go on with an Ask whose round is over (folkmoot.hop.belated)."""
        return any(campaign.expects(member, ask, self._now) for campaign in self.campaigns.values())

    def _drop(self, member: str, ask: bytes) -> None:
        for campaign in self.campaigns.values():
            campaign.release(member, ask)

    def _take(self, batch: Batch, taken: Take) -> None:
        self._shards |= taken.shards
        for entered in taken.runs:
            self._enter(batch, entered)
        for gateway in sorted(self._below.roster.entries):
            if self._below.tree.shard(gateway) in taken.shards:
                self._tell(gateway)  # nobody may have written what it said while nobody had its shard

    def _give(self, count: int) -> None:
        busy = {self._below.tree.shard(run) for run in self.campaigns}
        given = frozenset(sorted(self._shards - busy)[:count])
        if given:
            self._shards -= given
            self.facts.append(Given(given))

    def _enter(self, batch: Batch, entered: Enter) -> None:
        campaign = entered.campaign
        if campaign.spec.run in self.campaigns or self._below.tree.shard(campaign.spec.run) not in self._shards:
            return  # somebody looked twice, or its shard was given away meanwhile
        self.campaigns[campaign.spec.run] = campaign
        if campaign.desired == "run":
            self.facts.append(RunMoved(campaign.spec.run, "running"))
        if entered.history:
            opened = entered.history[0][1]
            assert isinstance(opened, events.Opened)
            campaign.key, campaign.phase = opened.key, "train" if opened.ask.phase == "train" else "evaluate"
            sums = Sums(opened.ask, campaign.spec.manifest.layout)
            restored = self._below.restore(opened.key, entered.history, sums, campaign.blobs, entered.kept)
            for one in entered.retractions:
                self._retract(batch, one)
            self._catch_up(batch, restored)
            if campaign.desired == "stop":  # somebody said so when nobody had the run: no Want will come of it
                self._below.tell(batch, opened.key, events.Stopped("operator"))
            if self.connected:
                self._below.resume(batch)
        self._moved.add(campaign.spec.run)

    def _catch_up(self, batch: Batch, open: Open) -> None:
        """Tells a round that another replica had what we have heard of its members meanwhile."""
        for member, seat in list(open.round.seats.items()):
            entry = self._below.roster.entries.get(member)
            if entry is None:
                continue
            here = entry.state in ("up", "sleeping")
            if here and seat.state in ("away", "gone"):
                self._below.tell(batch, open.key, events.Back(member))
            elif not here and seat.state in ("asked", "started"):
                event = events.Away if entry.state == "away" else events.Gone
                self._below.tell(batch, open.key, event(member))

    def _want(self, batch: Batch, run: str, desired: Literal["run", "pause", "stop"], rounds: int) -> None:
        campaign = self.campaigns.get(run)
        if campaign is None:
            return
        if desired == "run" and campaign.desired == "pause":
            self.facts.append(RunMoved(run, "running"))
        campaign.desired, campaign.rounds = desired, rounds
        if desired == "stop" and campaign.key:
            self._below.tell(batch, campaign.key, events.Stopped("operator"))
        self._moved.add(run)

    def _retract(self, batch: Batch, wish: Retract) -> None:
        campaign = self.campaigns.get(wish.run)
        open = self._below.rounds.get(campaign.key) if campaign is not None else None
        if open is None or (open.round.opened.ask.phase, open.round.opened.ask.round) != ("train", wish.number):
            return
        if wish.device in open.round.retracted:
            return  # somebody looked twice
        seats, held = open.round.seats, open.round.holder(wish.device)
        undone = None if held is None else (seats[held[0]].ask, held[0])
        gateways = tuple(name for name, seat in seats.items() if any(leaf.device == wish.device for leaf in seat.each or ()))
        late = tuple(open.round.holding(wish.device))
        if self._below.retract(batch, open.key, wish.device, wish.kept):
            self.facts.append(Retracted(wish.run, wish.number, wish.device, gateways, undone, late))
        else:
            self.facts.append(Postponed(wish.run))

    # How a run goes on.

    def _go_on(self, batch: Batch, run: str) -> None:
        """Opens the next round of a run that has none open, or ends it."""
        campaign = self.campaigns.get(run)
        if campaign is None or campaign.key:
            return
        if campaign.desired == "stop":
            self._end(batch, run, "stopped", "an operator stopped it")
        elif campaign.next_phase is None:
            self._end(batch, run, "completed", "")
        elif campaign.desired == "pause":
            self.facts.append(RunMoved(run, "paused"))
        else:
            self._open(batch, campaign)

    def _open(self, batch: Batch, campaign: Campaign) -> None:
        run = campaign.spec.run
        opening = campaign.open(self._below.roster.ready(), batch.now, self._grace)
        if isinstance(opening, Waiting):
            if opening.reason != campaign.waiting:
                campaign.waiting = opening.reason
                self.facts.append(RunMoved(run, "running", reason=opening.reason))
            return
        try:
            sums = Sums(opening.ask, campaign.spec.manifest.layout)
        except UserFault as fault:
            campaign.key = ""
            self._end(batch, run, "failed", str(fault))
            return
        self._below.open(batch, opening, sums, campaign.blobs)
        if campaign.phase == "train":
            self.facts.append(RoundOpened(run, opening.ask.round, campaign.version, opening.members))

    def _finish(self, batch: Batch, open: Open) -> None:
        """Makes of a closed round what there is to make of it."""
        machine, ask = open.round, open.round.opened.ask
        campaign = self.campaigns.get(ask.run)
        self._below.forget(batch, open.key)
        if campaign is None or machine.closed is None or campaign.key != open.key:
            return
        assert isinstance(open.sums, Sums)
        sums = open.sums.partial()
        measured = quality(sums)
        if measured is not None and campaign.evaluated < ask.base:
            campaign.evaluated = ask.base
            self.facts.append(Evaluated(ask.run, ask.base, measured))
        elif campaign.phase == "evaluate":
            campaign.evaluated = campaign.version  # nobody could say: the run does not wait for ever
        batch.firm = True
        if campaign.phase == "train":
            learnt = machine.closed.outcome == "complete" and campaign.learn(sums)
            if learnt:
                self.facts.append(Learnt(ask.run, ask.round, copy(campaign)))  # it may learn once more in this step
            closed = machine.closed if learnt or machine.closed.outcome != "complete" else Closed("short", "no_usable_updates")
            self.facts.append(
                RoundClosed(
                    ask.run,
                    ask.round,
                    closed,
                    learnt,
                    machine.seats,
                    sums,
                    open.traffic,
                    open.answered_ms,
                    tuple(one for one in machine.belated.values() if one.factor),
                    open.sums.belated,
                )
            )
            campaign.closed(machine)
        else:
            campaign.close(campaign.number)
        self._moved.add(ask.run)

    def _end(self, batch: Batch, run: str, outcome: Literal["completed", "failed", "stopped"], reason: str) -> None:
        campaign = self.campaigns.pop(run)
        if campaign.spec.buffer:
            for member, (ask, _) in sorted(campaign.working(batch.now).items()):
                batch.sends.append(Send(member, Request(what="cancel", reason="closed"), ask, self._below.tree.shard(run)))
        self.facts.append(RunMoved(run, "finished", outcome, reason))
        log.info("run finished", extra={"run": run, "outcome": outcome, "reason": reason})
