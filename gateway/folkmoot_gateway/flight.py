"""A gateway as a recording has it (folkmoot.flight): how it is made, what it starts from, which rounds it has ended."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from folkmoot.flight.craft import Resolve
from folkmoot.flight.entry import Outcome
from folkmoot.flight.played import Played, PlayedSpool
from folkmoot.flight.port import Notes
from folkmoot.hop import events, member
from folkmoot.hop.answers import PREFIX as MEMBER
from folkmoot.hop.batch import Batch
from folkmoot.hop.lower import Lower
from folkmoot.hop.open_round import Open
from folkmoot.hop.ports import Blobs, Outbox, Spool
from folkmoot.hop.roster import Entry
from folkmoot.hop.upper import PREFIX as ROUND
from folkmoot.hop.upper import Upper
from folkmoot.serve import edge
from folkmoot.wire import bundle, partial
from folkmoot.wire.messages import Hello
from folkmoot.wire.partial import Partial
from folkmoot.wire.topics import Tree
from folkmoot_gateway.node import Gateway, History


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway is made."""

    id: str
    namespace: str = "fl"
    above: str = ""
    inline_up: int  # bytes that travel inside a message to the cloud
    inline: int  # and to the home
    grace: int  # ms from away to gone
    hello: Hello  # what it says of itself before it knows its home
    spool: int = 0  # bytes


class Began(msgspec.Struct, frozen=True):
    """What a life starts from: machine by machine, the rows of its journal."""

    members: list[tuple[str, list[tuple[int, member.Event]]]]
    rounds: list[tuple[str, list[tuple[int, events.Event]]]]


class Midway(msgspec.Struct, frozen=True):
    """What a gateway knows in the middle of a life, but for the rounds that are under way."""

    hello: Hello
    roster: dict[str, Entry]
    machines: list[str]  # keys of the rounds and Asks that there are
    stale: list[bytes]  # Asks that were asked for again, and may be taken when they come


class Home:
    """A gateway with its two ends (folkmoot.flight.craft.Craft)."""

    tier = "gateway"

    def __init__(
        self,
        frame: Frame,
        blobs: Blobs,
        spool: Spool,
        outbox: Outbox,
        births: Callable[[str], int],
        kind: type[Upper] = Upper,
    ) -> None:
        """Makes the gateway, restored to nothing yet. `births`: gives the counter of a hop's present connection."""
        cloud, home = Tree(frame.namespace, frame.above), Tree(frame.namespace, frame.id)
        self.name = frame.id
        self._status = cloud.upper_status
        self.above = Lower(cloud, frame.id, blobs, spool, outbox, frame.inline_up)
        self.above.hello = frame.hello
        self.below = kind(home, frame.id, spool, frame.inline)
        self.below.software = frame.hello.software
        self.sent = self.below.sent
        self.node = Gateway(self.above, self.below, blobs, frame.grace, births)
        self.frame = msgspec.msgpack.encode(msgspec.structs.replace(frame, spool=spool.limit))
        self._kept = outbox.payload
        self._histories: Sequence[History] = ()
        self._lost: list[str] = []
        self._seen: dict[str, Open] = {}
        self._answered: set[str] = set()

    @classmethod
    def played(cls, frame: bytes, played: Played) -> "Home":
        """Makes a gateway that lives through a recording."""
        how = msgspec.msgpack.decode(frame, type=Frame)
        played.limit = how.spool
        home = cls(how, played, PlayedSpool(played), played, played.births)
        home.node.thrifty = False
        return home

    def take_up(self, histories: Sequence[History]) -> list[str]:
        """Restores what was under way; gives the machines that must be forgotten before the first step (Gateway.restore)."""
        self._histories = histories
        self._lost = self.node.restore(histories, self._kept)
        self._look()
        self._answered = {one.id.hex() for one in self.above.members.values() if one.payload}
        return self._lost

    def _look(self) -> None:
        self._seen = dict(self.below.rounds)

    # For whoever records.

    def start(self) -> bytes:
        """Gives what this life starts from."""
        histories, self._histories = self._histories, ()
        members: Any = [one for one in histories if one[0].startswith(MEMBER)]
        rounds: Any = [one for one in histories if one[0].startswith(ROUND)]
        return msgspec.msgpack.encode(Began(members, rounds))

    def standing(self, topic: str) -> bool:
        """Whether it is where the cloud says that it is there."""
        return topic == self._status

    def write(self, event: Any, notes: Notes) -> None:
        """Gives nothing: a gateway takes nothing but what its links say."""

    def outcomes(self, batches: Mapping[str, Batch]) -> list[Outcome]:
        """Gives the rounds whose sums are an answer now, and those that are over without one."""
        self._seen |= self.below.rounds
        found = [
            self._outcome(key.removeprefix(MEMBER), "answered", event.payload)
            for key, event in batches["up"].journal
            if isinstance(event, member.Worked) and key.removeprefix(MEMBER) in self._seen
        ]
        self._answered |= {one.key for one in found}
        for machine in batches["down"].forgets:
            key = machine.removeprefix(ROUND)
            if key in self._seen and key not in self._answered:
                found.append(self._outcome(key, "called off", b""))
            if key not in self.below.rounds:
                self._answered.discard(key)
        self._look()
        return found

    def _outcome(self, key: str, outcome: str, sha256: bytes) -> Outcome:
        open, item = self._seen[key], self.above.members.get(bytes.fromhex(key))
        ask, closed = open.round.opened.ask, open.round.closed
        return Outcome(
            run=ask.run,
            number=ask.round,
            local=0 if item is None or item.local is None else item.local.number,
            phase=ask.phase,
            key=key,
            outcome=outcome,
            reason="" if closed is None else closed.reason,
            answers=len(open.round.merged),
            sha256=sha256,
        )

    def now(self) -> bytes:
        """Gives what a reader must know who starts in the middle of this life."""
        machines = [ROUND + key for key in self.below.rounds] + [MEMBER + id.hex() for id in self.above.members]
        return msgspec.msgpack.encode(Midway(self.above.hello, self.below.roster.entries, machines, list(self.above.stale)))

    def joining(self) -> Collection[str]:
        """Gives nothing: the rounds that are under way are left out."""
        return ()

    def joins(self, wanted: Collection[str], batches: Mapping[str, Batch], notes: Notes) -> Iterator[tuple[str, str, bytes]]:
        """Yields nothing."""
        yield from ()

    # For whoever replays.

    def restore(self, state: bytes) -> None:
        """Begins the life that `start` described."""
        began = msgspec.msgpack.decode(state, type=Began)
        self.take_up([*began.members, *began.rounds])  # type: ignore[list-item]

    def adopt(self, state: bytes, now: int) -> Collection[str]:
        """Begins in the middle, as `now` described."""
        midway = msgspec.msgpack.decode(state, type=Midway)
        self.above.hello = midway.hello
        self.above.stale.update(dict.fromkeys(midway.stale))
        self.below.roster.entries.update(midway.roster)
        self.below.roster.news = True
        return {machine.partition("/")[2] for machine in midway.machines}

    def read(self, word: str, content: bytes, resolve: Resolve, kept: Callable[[bytes], bytes | None]) -> None:
        """Gives nothing: there are no such inputs."""

    def measured(self, outcome: Outcome, batches: Mapping[str, Batch]) -> Mapping[str, int]:
        """Gives the metrics of the answer to a round that has one."""
        content = next((keep.content for keep in batches["up"].keeps if keep.payload == outcome.sha256), None)
        return {} if content is None else partial.load(content, limit=len(content)).metrics

    def over(self) -> None:
        """Does nothing."""

    def remembers(self, outcome: Outcome) -> bool | None:
        """Whether this life began with the answer of that round."""
        if not outcome.sha256:
            return outcome.key not in self.below.rounds
        item = self.above.members.get(bytes.fromhex(outcome.key))
        return item is not None and item.payload == outcome.sha256

    @property
    def opens(self) -> Mapping[str, Open]:
        """The rounds below, by key."""
        return self.below.rounds

    def maker(self, open: Open) -> Callable[[Partial], bytes]:
        """Gives the home's own model after a round: the one that it began with, and the mean (folkmoot.serve.edge)."""
        ask = open.round.opened.ask
        layout, block = bundle.program(open.blobs[ask.program]).manifest.layout, open.blobs[ask.weights]
        return lambda sums: edge.step(ask, layout, block, partial.dump(sums))
