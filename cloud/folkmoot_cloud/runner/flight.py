"""A cloud's program as a recording has it (folkmoot.flight): how it is made, what it is told, which rounds it has ended."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from folkmoot import arrays, parts
from folkmoot.flight.craft import Resolve
from folkmoot.flight.entry import Outcome
from folkmoot.flight.played import Played, PlayedSpool
from folkmoot.flight.port import Notes, kept
from folkmoot.hop import events
from folkmoot.hop.batch import Batch
from folkmoot.hop.open_round import Open
from folkmoot.hop.ports import Spool
from folkmoot.hop.roster import Entry
from folkmoot.hop.upper import PREFIX, Upper
from folkmoot.wire.partial import Partial
from folkmoot.wire.topics import Tree
from folkmoot_cloud.runner.facts import Given, Learnt, RoundClosed
from folkmoot_cloud.runner.frozen import FrozenRun, Wish, freeze, thaw
from folkmoot_cloud.runner.node import Cloud, Enter, Give, Take, Want
from folkmoot_cloud.runner.retraction import Retract


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """How a cloud's program is made."""

    namespace: str
    replica: str
    software: str
    inline: int  # bytes that travel inside a message
    grace: int  # ms from away to gone
    shards: frozenset[str]  # that are ours to begin with
    spool: int = 0  # bytes


class Midway(msgspec.Struct, frozen=True):
    """What the program knows in the middle of a life, but for the runs."""

    roster: dict[str, Entry]
    shards: list[str]
    rounds: list[str]  # keys of those that are open
    runs: list[str]


class Taken(msgspec.Struct, frozen=True):
    """A Take."""

    shards: list[str]
    runs: list[FrozenRun]


class Top:
    """The program with its end of the hop (folkmoot.flight.craft.Craft)."""

    tier = "cloud"

    def __init__(self, frame: Frame, spool: Spool, kind: type[Upper] = Upper) -> None:
        """Makes the program; it knows no run yet."""
        self.name = frame.replica
        self.below = kind(Tree(frame.namespace), "cloud", spool, frame.inline)
        self.below.software = frame.software
        self.sent = self.below.sent
        self.node = Cloud(self.below, frame.grace, frame.shards)
        self.frame = msgspec.msgpack.encode(msgspec.structs.replace(frame, spool=spool.limit))
        self._shards = set(frame.shards)
        self._stepped = False
        self._entered: dict[str, int] = {}  # run to the number of the last round that was over when it was taken up

    @classmethod
    def played(cls, frame: bytes, played: Played) -> "Top":
        """Makes a program that lives through a recording."""
        how = msgspec.msgpack.decode(frame, type=Frame)
        played.limit = how.spool
        return cls(how, PlayedSpool(played))

    # For whoever records.

    def start(self) -> bytes:
        """Gives nothing: all that a life of the cloud starts from comes as an input."""
        return b""

    def standing(self, topic: str) -> bool:
        """Says no: nobody is above."""
        return False

    def write(self, event: Any, notes: Notes) -> tuple[Any, str, bytes] | None:
        """Gives what the runner tells the program: with kept answers that are noted when they are read, and as bytes."""
        encode = msgspec.msgpack.encode
        match event:
            case Enter():
                return _watched(event, notes), "enter", encode(freeze(event, notes))
            case Take(shards, runs):
                self._shards |= shards
                frozen = Taken(sorted(shards), [freeze(one, notes) for one in runs])
                return Take(shards, [_watched(one, notes) for one in runs]), "take", encode(frozen)
            case Give(count):
                return event, "give", encode(count)
            case Want(run, desired, rounds):
                return event, "want", encode((run, desired, rounds))
            case Retract(run, number, device):
                return _noted(event, notes), "retract", encode(Wish(run, number, device))
        return None

    def outcomes(self, batches: Mapping[str, Batch]) -> list[Outcome]:
        """Gives the training rounds that are over, with the model that the run has then."""
        learnt = {(fact.run, fact.number): fact.campaign.digest for fact in self.node.facts if isinstance(fact, Learnt)}
        found = []
        for fact in self.node.facts:
            if isinstance(fact, Given):
                self._shards -= fact.shards
            if isinstance(fact, RoundClosed):
                answers = sum(seat.state == "taken" for seat in fact.seats.values()) + len(fact.belated)
                sha256 = learnt.get((fact.run, fact.number), b"")
                key = f"{fact.run}/{fact.number}/train"
                closed = fact.closed
                found.append(Outcome(fact.run, fact.number, 0, "train", key, closed.outcome, closed.reason, answers, sha256))
        return found

    def now(self) -> bytes:
        """Gives what a reader must know who starts in the middle of this life."""
        return msgspec.msgpack.encode(
            Midway(self.below.roster.entries, sorted(self._shards), [*self.below.rounds], [*self.node.campaigns])
        )

    def joining(self) -> Collection[str]:
        """Gives the runs that are under way."""
        return list(self.node.campaigns)

    def joins(self, wanted: Collection[str], batches: Mapping[str, Batch], notes: Notes) -> Iterator[tuple[str, str, bytes]]:
        """Yields the runs that have no round open, or one that this step has opened."""
        journal = [entry for batch in batches.values() for entry in batch.journal]
        for run in sorted(wanted):
            campaign = self.node.campaigns.get(run)
            history: list[tuple[int, events.Event]] = []
            if campaign is None:
                continue
            if campaign.key:
                of_round = [event for key, event in journal if key == PREFIX + campaign.key]
                if [type(event) for event in of_round] != [events.Opened]:
                    continue
                opened = self.below.rounds[campaign.key].round
                history = [(opened.began, opened.opened)]
            yield run, "enter", msgspec.msgpack.encode(freeze(Enter(campaign, history), notes))

    # For whoever replays.

    def restore(self, state: bytes) -> None:
        """Does nothing: see `start`."""

    def adopt(self, state: bytes, now: int) -> Collection[str]:
        """Begins in the middle, as `now` described."""
        midway = msgspec.msgpack.decode(state, type=Midway)
        self.below.roster.entries.update(midway.roster)
        self._shards = set(midway.shards)
        self.node.step([("leases", Take(frozenset(midway.shards)))], now)
        return {*midway.rounds, *midway.runs}

    def read(self, word: str, content: bytes, resolve: Resolve, kept: Callable[[bytes], bytes | None]) -> Any:
        """Gives what the runner told the program."""
        decode: Any = msgspec.msgpack.decode
        match word:
            case "enter":
                return self._thaw(decode(content, type=FrozenRun), resolve, kept)
            case "take":
                taken = decode(content, type=Taken)
                self._shards |= set(taken.shards)
                return Take(frozenset(taken.shards), [self._thaw(one, resolve, kept) for one in taken.runs])
            case "give":
                return Give(decode(content, type=int))
            case "want":
                return Want(*decode(content, type=tuple[str, str, int]))
            case "retract":
                wish = decode(content, type=Wish)
                return Retract(wish.run, wish.number, wish.device, kept)
        return None

    def _thaw(self, run: FrozenRun, resolve: Resolve, kept: Callable[[bytes], bytes | None]) -> Enter:
        self._entered.setdefault(run.spec.run, run.number)
        return thaw(run, resolve, kept)

    def measured(self, outcome: Outcome, batches: Mapping[str, Batch]) -> Mapping[str, int]:
        """Gives the sums of what the members of a round have measured."""
        closed = (fact for fact in self.node.facts if isinstance(fact, RoundClosed))
        return next((fact.sums.metrics for fact in closed if (fact.run, fact.number) == (outcome.run, outcome.number)), {})

    def over(self) -> None:
        """Forgets the facts: there are no tables."""
        self.node.facts, self._stepped = [], True

    def remembers(self, outcome: Outcome) -> bool | None:
        """Whether the run was taken up behind that round, with the first step. One that was not was over by then."""
        if outcome.run in self._entered:
            return self._entered[outcome.run] >= outcome.number
        return True if self._stepped and self.below.tree.shard(outcome.run) in self._shards else None

    @property
    def opens(self) -> Mapping[str, Open]:
        """The open rounds, by key."""
        return self.below.rounds

    def maker(self, open: Open) -> Callable[[Partial], bytes]:
        """Gives what the strategy makes of sums, from the model and the state that the round began with."""
        campaign = self.node.campaigns[open.round.opened.ask.run]
        spec, model = campaign.spec, campaign.model
        layout = spec.manifest.layout
        roles = {tensor.name: tensor.role for tensor in layout.tensors}

        def make(sums: Partial) -> bytes:
            stepped = spec.strategy.step(model, parts.mean(sums, layout, spec.scale), roles)
            return arrays.pack(layout, stepped.weights)

        return make


def _noted(wish: Retract, notes: Notes) -> Retract:
    return replace(wish, kept=lambda sha256: kept(notes, sha256, lambda: wish.kept(sha256)))


def _watched(entered: Enter, notes: Notes) -> Enter:
    return replace(
        entered,
        kept=lambda sha256: kept(notes, sha256, lambda: entered.kept(sha256)),
        retractions=tuple(_noted(one, notes) for one in entered.retractions),
    )
