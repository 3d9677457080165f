"""Lives through a recording with the real programs, and compares what comes of every round with what came of it then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any, Literal

from folkmoot import __version__
from folkmoot.errors import UserFault
from folkmoot.flight.craft import Craft
from folkmoot.flight.entry import Begin, End, Input, Join, Message, Other, Outcome, Standing, Step
from folkmoot.flight.played import Played
from folkmoot.flight.recorder import shape
from folkmoot.flight.recording import Gap, Record, Recording
from folkmoot.hop.batch import Batch
from folkmoot.hop.open_round import Open
from folkmoot.hop.upper import PREFIX
from folkmoot.link.face import Arrived, Connected, Disconnected, Limits
from folkmoot.serve.driver import Input as Taken
from folkmoot.wire.partial import Partial

GROUP = "folkmoot.flights"
Verdict = Literal["same", "differs", "began before", "unsure", "not replayed"]
Make = Callable[[bytes, Played], Craft]


@cache
def make(tier: str) -> Make:
    """Gives what makes the node of a tier. Raises UserFault where it is not installed."""
    for point in metadata.entry_points(group=GROUP, name=tier):
        found: Make = point.load()
        return found
    raise UserFault(f"a recording of a {tier} needs the {tier}: pip install 'folkmoot[{tier}]'")


@dataclass(slots=True)
class Ended:
    """A round that is over."""

    then: Outcome
    at: int  # ms since 1970, as the node believed
    verdict: Verdict
    again: Outcome | None = None  # what came of it in the replay
    metrics: Mapping[str, int] = field(default_factory=dict)  # sums of what the members measured


@dataclass(frozen=True, slots=True)
class Wanted:
    """The round to look at closely."""

    run: str  # "": of any run
    number: int
    phase: str = "train"


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer to the wanted round, as it was kept."""

    content: bytes
    at: int  # ms since 1970
    after: int  # ms since the round began


@dataclass(slots=True)
class Seen:
    """The wanted round."""

    open: Open
    maker: Callable[[Partial], bytes]
    tier: str
    kept: dict[bytes, Kept] = field(default_factory=dict)
    ended: Outcome | None = None


class Player:
    """One replay. Afterwards `rounds` has every round, and `notes` what there is to say about the recording."""

    def __init__(self, recording: Recording, wanted: Wanted | None = None) -> None:
        self.rounds: list[Ended] = []
        self.notes: list[str] = []
        self.seen: list[Seen] = []  # the rounds that are wanted: of each run one, or more where one was opened again
        self.begin: Begin | None = None  # the newest beginning of a life or part
        self.lives = 0
        self.failed = False  # the program itself, somewhere
        self._recording = recording
        self._wanted = wanted
        self._played = Played()
        self._played.found = self._find
        self._craft: Craft | None = None
        self._exact = True  # this life has been seen from its beginning
        self._strayed = False
        self._before: set[str] = set()  # rounds, and runs, that there were when we started in the middle
        self._watched: dict[str, Seen] = {}
        self._opens: dict[str, Open] = {}
        self._found: dict[bytes, bytes] = {}
        self._last: list[Ended] = []  # of the newest step, of which nobody has said that it was stored
        self._doubtful: list[Ended] = []  # of the last step of the life before
        self._wall = 0

    def play(self) -> None:
        """Lives through all of it. Raises UserFault where the recording cannot be read, or its tier is not installed."""
        for record in self._recording:
            if isinstance(record, Gap):
                self._lose()
                continue
            match record.entry:
                case Begin():
                    self._start(record, record.entry)
                case Step():
                    self._guarded(lambda step=record.entry, of=record: self._step(of, step))  # type: ignore[misc]
                case Join():
                    self._guarded(lambda join=record.entry, of=record: self._join(of, join))  # type: ignore[misc]
                case End(stored):
                    if stored:
                        self._last = []
        self._lose()
        self._doubt()
        self.notes = self._recording.notes + self.notes

    # Beginnings.

    def _start(self, record: Record, begin: Begin) -> None:
        if not begin.life and self._craft is not None:
            self._last = []  # it goes on: the step before was stored
            return
        if begin.software != __version__ and (self.begin is None or self.begin.software != begin.software):
            self.notes.append(f"recorded by folkmoot {begin.software}, replayed by {__version__}: they may differ for that")
        self._lose()
        self.begin, self._exact, self._strayed = begin, begin.life, False
        self._wall = begin.wall - begin.now
        self._before, self._opens, self._found = set(), {}, {}
        self.lives += begin.life
        self._played.expect(begin.calls, record.contents)
        build = make(begin.tier)
        self._guarded(lambda: self._take_up(begin, build))

    def _take_up(self, begin: Begin, build: Make) -> None:
        craft = self._craft = build(begin.frame, self._played)
        if begin.life:
            craft.restore(begin.state)
            self._watch(begin.now)
            self._settle()
            return
        self._doubt()
        for early in begin.early:
            self._played.expect(early.calls)
            craft.node.step([self._input(early.input, iter([early.message]), craft)], early.now)
        self._before = set(craft.adopt(begin.state, begin.now))
        craft.over()

    def _lose(self) -> None:
        """The life that we have is over, or we have lost its thread; whether its last step was stored, the next life knows."""
        if self._craft is not None:
            self._doubtful += self._last
            self._last = []
        self._craft = None

    def _doubt(self) -> None:
        """Nobody will say any more what became of the last step of the life before."""
        for one in self._doubtful:
            one.verdict = "unsure" if one.verdict == "same" else one.verdict
        self._doubtful = []

    def _settle(self) -> None:
        """Sees what became of the last step of the life before."""
        for one in list(self._doubtful):
            assert self._craft is not None
            match self._craft.remembers(one.then):
                case True:
                    self._doubtful.remove(one)
                case False:  # it came to nothing: the round went on, and ended later
                    self._doubtful.remove(one)
                    self.rounds = [other for other in self.rounds if other is not one]
                    self.seen = [seen for seen in self.seen if seen.ended is not one.then]

    # Steps.

    def _step(self, record: Record, step: Step) -> None:
        craft = self._craft
        if craft is None:
            self.rounds += [Ended(then, self._moment(step.now), "not replayed") for then in step.outcomes]
            return
        self._last = []
        for sent in step.sent:
            craft.sent(sent.member, sent.ask, sent.size)
        self._played.expect(step.calls, record.contents)
        messages = iter(record.messages)
        inputs = [self._input(one, messages, craft) for one in step.inputs]
        batches = craft.node.step(inputs, step.now)
        self._check(step, batches)
        for batch in batches.values():
            for keep in batch.keeps:
                self._played.keep(keep.payload, keep.content)
        self._watch(step.now, batches)
        again = craft.outcomes(batches)
        self._compare(step, again, {one.key: craft.measured(one, batches) for one in again})
        craft.over()
        self._settle()

    def _input(self, one: Input, messages: Any, craft: Craft) -> Taken:
        match one:
            case Message(source, topic, retained):
                return source, Arrived(topic, next(messages), retained, None)
            case Standing(source, up):
                limits = Limits(one.window, one.max_packet)
                return source, Connected(one.resumed, limits) if up else Disconnected("", ())
            case Other(source, word, content):
                return source, craft.read(word, content, self._played.resolve, self._played.kept)

    def _join(self, record: Record, join: Join) -> None:
        if self._exact or self._craft is None:
            return
        self._before.discard(join.name)
        self._played.expect([], record.contents)
        event = self._craft.read(join.input.word, join.input.content, self._played.resolve, self._played.kept)
        batches = self._craft.node.step([("", event)], join.now)
        self._watch(join.now, batches)
        self._craft.outcomes(batches)
        self._craft.over()

    def _check(self, step: Step, batches: Mapping[str, Batch]) -> None:
        """Notes where a life that was seen whole goes another way than it went then."""
        strange = self._played.strange or self._played.open or shape(batches) != step.shape
        if self._exact and strange and not self._strayed:
            self._strayed = True
            when = datetime.fromtimestamp(self._moment(step.now) / 1000, UTC).isoformat(timespec="milliseconds")
            self.notes.append(f"from {when} on the program does other things than it did then")

    def _compare(self, step: Step, again: list[Outcome], metrics: Mapping[str, Mapping[str, int]]) -> None:
        ours = {(one.key, one.outcome == "called off"): one for one in again}
        for then in step.outcomes:
            mine = ours.pop((then.key, then.outcome == "called off"), None)
            # A local round follows from an Ask, which may be one of those.
            early = (
                then.key in self._before or then.run in self._before or (not self._exact and then.local > 0 and mine is None)
            )
            verdict: Verdict = "began before" if early else "same" if mine == then else "differs"
            ended = Ended(then, self._moment(step.now), verdict, mine, metrics.get(then.key, {}))
            self.rounds.append(ended)
            self._last.append(ended)
            if (seen := self._watched.get(then.key)) is not None and then.outcome != "called off":
                self.seen = [other for other in self.seen if other is not seen] + [seen]
                seen.ended = then
        for mine in ours.values():
            if mine.key not in self._before:
                self.notes.append(f"round {mine.number} of run {mine.run} ends in the replay, and did not then")

    def _moment(self, now: int) -> int:
        return self._wall + now

    # The round that is wanted.

    def _watch(self, now: int, batches: Mapping[str, Batch] | None = None) -> None:
        """Looks at the rounds that are open; of the wanted ones it keeps the answers."""
        assert self._craft is not None
        fresh = {key: open for key, open in self._craft.opens.items() if self._opens.get(key) is not open}
        self._opens = dict(self._craft.opens)
        for key, open in fresh.items():
            if self._wants(open):
                earlier = self._watched[key].kept if key in self._watched else {}
                self._watched[key] = seen = Seen(open, self._craft.maker(open), self._craft.tier, dict(earlier))
                for merge in open.round.merged:  # in a life before the recording
                    if merge.payload in self._found:
                        found = Kept(self._found[merge.payload], self._moment(now), now - open.round.began)
                        seen.kept.setdefault(merge.payload, found)
        self._found = {}
        for batch in (batches or {}).values():
            for keep in batch.keeps:
                key = keep.owner.removeprefix(PREFIX)
                if key in self._watched and keep.owner.startswith(PREFIX):
                    since = now - self._watched[key].open.round.began
                    self._watched[key].kept[keep.payload] = Kept(keep.content, self._moment(now), since)

    def _wants(self, open: Open) -> bool:
        wanted, ask = self._wanted, open.round.opened.ask
        if wanted is None:
            return False
        return wanted.run in ("", ask.run) and (wanted.number, wanted.phase) == (ask.round, ask.phase)

    def _find(self, sha256: bytes, content: bytes) -> None:
        if self._wanted is not None:
            self._found[sha256] = content

    def _guarded(self, act: Callable[[], None]) -> None:
        """Does something in which the program may fail: where it has gone another way, it may do anything."""
        try:
            act()
        except UserFault:
            raise
        except Exception as error:
            kind = type(error).__name__
            self.notes.append(f"the replay of a life ends where the program fails: {kind}: {error}".partition("\n")[0])
            self.failed = True
            self._craft = None
