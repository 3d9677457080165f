"""The cloud's program without its I/O: the top of the tree, and the campaigns that open rounds in it.

What a step decides comes out twice: as a batch for the hop, and as `facts`, which the journal writes into the tables in the
same transaction (folkmoot_cloud.runner.journal).
"""

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal

from folkmoot.errors import UserFault
from folkmoot.hop import round
from folkmoot.hop.batch import Batch
from folkmoot.hop.belated import Welcome
from folkmoot.hop.open_round import History, Kept, Open
from folkmoot.hop.roster import Entry
from folkmoot.hop.upper import PREFIX, Upper
from folkmoot.link.face import Arrived, Connected
from folkmoot.serve.driver import Input
from folkmoot.serve.sums import Sums
from folkmoot.wire.messages import Answer, Hello, Status
from folkmoot.wire.partial import Partial
from folkmoot_cloud.runner.campaign import Campaign, Quality, Waiting, quality

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Enter:
    """A run is to be gone on with; with its open round's journal where it has one."""

    campaign: Campaign
    history: History = ()
    kept: Kept = lambda sha256: None  # a default that keeps nothing


@dataclass(frozen=True, slots=True)
class Want:
    """An operator changed what a run is to do."""

    run: str
    desired: Literal["run", "pause", "stop"]
    rounds: int


# Facts: what the tables are told.


@dataclass(frozen=True, slots=True)
class GatewayTold:
    """A gateway has said how it is, or what it has."""

    gateway: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class RunMoved:
    """A run is in another state."""

    run: str
    status: Literal["running", "paused", "finished"]
    outcome: Literal["completed", "failed", "stopped"] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RoundOpened:
    """A training round has begun."""

    run: str
    number: int
    base: int
    members: tuple[round.Invitation, ...]


@dataclass(frozen=True, slots=True)
class AnswerTaken:
    """An answer is in the sums."""

    run: str
    number: int
    ask: bytes
    member: str
    payload: bytes
    size: int
    leaves: int
    belated: round.Belated | None = None  # where it answers the Ask of an earlier round


@dataclass(frozen=True, slots=True)
class AnswerRefused:
    """An answer to an earlier Ask of a run that still goes on does not count in it."""

    run: str
    number: int  # of the round that had asked
    member: str
    local: int
    reason: str


@dataclass(frozen=True, slots=True)
class RoundClosed:
    """A training round is over: what became of everybody, and the traffic of it."""

    run: str
    number: int
    closed: round.Closed
    learnt: bool  # there is a new version, which this round has made
    seats: Mapping[str, round.Seat]
    sums: Partial
    traffic: Mapping[str, tuple[int, int]]  # gateway to bytes up and down
    answered_ms: Mapping[str, int]  # gateway to ms from asked to answered
    belated: tuple[round.Belated, ...] = ()  # answers to earlier Asks that are in the sums; not in their leaves


@dataclass(frozen=True, slots=True)
class Learnt:
    """There is a new version of the model."""

    run: str
    number: int
    campaign: Campaign


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The quality of a version is known."""

    run: str
    version: int
    quality: Quality


Fact = GatewayTold | RunMoved | RoundOpened | AnswerTaken | AnswerRefused | RoundClosed | Learnt | Evaluated


class Cloud:
    """The program (folkmoot.serve.driver.Node)."""

    def __init__(self, below: Upper, grace: int) -> None:
        """`grace`: ms from away to gone for gateways."""
        self.facts: list[Fact] = []
        self.campaigns: dict[str, Campaign] = {}
        self.connected = False
        self._below = below
        below.belated.standing, below.belated.refused = self._standing, self._note_refusal
        self._grace = grace
        self._moved: set[str] = set()  # runs that may go on

    @property
    def wake(self) -> int | None:
        """When to step although nothing has come."""
        return self._below.wake

    def step(self, inputs: Sequence[Input], now: int) -> Mapping[str, Batch]:
        """Takes all that has come."""
        batch = Batch(now)
        for _, event in inputs:
            match event:
                case Arrived():
                    self._hear(batch, event)
                case Connected():
                    self.connected = True
                    self._below.connected(batch, event.limits.max_packet)
                case Enter():
                    self._enter(batch, event)
                case Want(run, desired, rounds):
                    self._want(batch, run, desired, rounds)
                case _:
                    pass
        self._below.tick(batch)
        for open in [open for open in self._below.rounds.values() if open.round.state == "closed"]:
            self._finish(batch, open)
        while self._moved:
            self._go_on(batch, self._moved.pop())
        return {"down": batch}

    def perform(self) -> None:
        """The cloud's work is all in its machines."""

    # What has come.

    def _hear(self, batch: Batch, event: Arrived) -> None:
        taken, told = len(batch.keeps), len(batch.journal)
        body = self._below.receive(batch, event.topic, event.payload)
        batch.acks.append(event.token)
        if isinstance(body, Status | Hello):
            member = self._below.tree.place(event.topic).member
            self.facts.append(GatewayTold(member, copy(self._below.roster.entries[member])))
            self._moved.update(self.campaigns)
        for keep in batch.keeps[taken:]:
            new = next(new for _, new in batch.journal[told:] if isinstance(new, round.Answered | round.Belated))
            self._note_answer(keep.owner.removeprefix(PREFIX), new, len(keep.content))

    def _note_answer(self, key: str, new: round.Answered | round.Belated, size: int) -> None:
        machine = self._below.rounds[key].round
        asked = machine.opened.ask
        belated = new if isinstance(new, round.Belated) else None
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

    def _enter(self, batch: Batch, entered: Enter) -> None:
        campaign = entered.campaign
        if campaign.spec.run in self.campaigns:
            return  # somebody looked twice
        self.campaigns[campaign.spec.run] = campaign
        if campaign.desired == "run":
            self.facts.append(RunMoved(campaign.spec.run, "running"))
        if entered.history:
            opened = entered.history[0][1]
            assert isinstance(opened, round.Opened)
            campaign.key, campaign.phase = opened.key, "train" if opened.ask.phase == "train" else "evaluate"
            sums = Sums(opened.ask, campaign.spec.manifest.layout)
            self._below.restore(opened.key, entered.history, sums, campaign.blobs, entered.kept)
            if self.connected:
                self._below.resume(batch)
        self._moved.add(campaign.spec.run)

    def _want(self, batch: Batch, run: str, desired: Literal["run", "pause", "stop"], rounds: int) -> None:
        campaign = self.campaigns.get(run)
        if campaign is None:
            return
        if desired == "run" and campaign.desired == "pause":
            self.facts.append(RunMoved(run, "running"))
        campaign.desired, campaign.rounds = desired, rounds
        if desired == "stop" and campaign.key:
            self._below.tell(batch, campaign.key, round.Stopped("operator"))
        self._moved.add(run)

    # How a run goes on.

    def _go_on(self, batch: Batch, run: str) -> None:
        """Opens the next round of a run that has none open, or ends it."""
        campaign = self.campaigns.get(run)
        if campaign is None or campaign.key:
            return
        if campaign.desired == "stop":
            self._end(run, "stopped", "an operator stopped it")
        elif campaign.next_phase is None:
            self._end(run, "completed", "")
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
            self._end(run, "failed", str(fault))
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
                self.facts.append(Learnt(ask.run, ask.round, campaign))
            closed = (
                machine.closed if learnt or machine.closed.outcome != "complete" else round.Closed("short", "no_usable_updates")
            )
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
                    tuple(machine.belated.values()),
                )
            )
            campaign.closed(machine)
        else:
            campaign.close(campaign.number)
        self._moved.add(ask.run)

    def _end(self, run: str, outcome: Literal["completed", "failed", "stopped"], reason: str) -> None:
        del self.campaigns[run]
        self.facts.append(RunMoved(run, "finished", outcome, reason))
        log.info("run finished", extra={"run": run, "outcome": outcome, "reason": reason})
