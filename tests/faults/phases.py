"""When a node is in a phase, as the brokers hear it: each phase begins with one message, and is over with another."""

from collections.abc import Callable
from dataclasses import dataclass

from folkmoot.wire.chunks import count
from folkmoot.wire.messages import Answer, Ask, Block, Body, Chunk, Receipt, Started
from tests.faults.stage import HOMES
from tests.kit.spy import Seen

GATEWAY, DEVICE = "g1", "a"  # who is hit, where one of several must be


@dataclass(frozen=True)
class View:
    """Where a phase is looked for: a broker, and a member, or any."""

    broker: str
    member: str = ""

    def holds(self, seen: Seen) -> bool:
        """Whether a message is of this view."""
        return seen.broker == self.broker and self.member in ("", seen.member)

    @property
    def members(self) -> list[str]:
        """All who answer on this broker."""
        return list(HOMES) if self.broker == "cloud" else HOMES[self.broker]

    def ways(self, phase: str) -> list[tuple[str, str]]:
        """Gives the cords over which a phase that is a transfer sends: what the brokers hear is as slow as they are."""
        if phase == "downloading":
            return [(self.broker, self.broker)]
        sending = phase in ("uploading", "committing")
        return [(self.broker, name) for name in self.members if sending and self.member in ("", name)]


HOME, HIT, CLOUD, UP = View(GATEWAY), View(GATEWAY, DEVICE), View("cloud"), View("cloud", GATEWAY)
_VIEWS = {
    "cloud": CLOUD,
    "broker-cloud": CLOUD,
    "link-cloud": CLOUD,
    "link-up": UP,
    "gateway": UP,
    "broker-home": HOME,
    "link-home": HOME,
    "link-down": HIT,
    "device": HIT,
}


def view(node: str, phase: str) -> View:
    """Gives where to look: training is done in homes, and a gateway merges and commits what its own home sends."""
    found = _VIEWS[node]
    at_home = phase == "training" or (node == "gateway" and phase in ("merging", "committing"))
    return HOME if at_home and found.broker == "cloud" else found


class Watch:
    """Follows the messages of a run from its second round on, and says when a phase begins."""

    def __init__(self, phase: str, where: View, run: str, have: set[tuple[str, bytes]]) -> None:
        """`have`: members and the weights that they have pulled before, for a blob that is there is not pulled again."""
        self._phase = phase
        self._where = where
        self._run = run
        self._have = have
        self._taken: dict[tuple[int, str], set[str]] = {}  # round and broker to who was told ok
        self._asks: dict[bytes, Ask] = {}
        self._answers: dict[bytes, Answer] = {}
        self.looked = 0  # messages so far
        self.trigger: Seen | None = None
        self.over = False
        """Whether the phase that began is over."""

    def __call__(self, seen: Seen) -> bool:
        """Takes the next message; says whether the phase begins with it."""
        self.looked += 1
        body = seen.body
        if seen.run != self._run or seen.broker != self._where.broker:
            return False
        if isinstance(body, Ask):
            self._asks[seen.ask] = body
        if isinstance(body, Answer):
            self._answers[seen.ask] = body
        if self._downloaded(seen):
            self._have.add((seen.member, self._asks[seen.ask].weights))
        if isinstance(body, Receipt) and body.status in ("ok", "dup"):
            self._taken.setdefault((seen.round, seen.broker), set()).add(seen.member)
        if self.trigger is not None:
            about = self._phase == "merging" or seen.ask == self.trigger.ask
            self.over = self.over or (about and _ENDS[self._phase](self, seen))
            return False
        # A round is being merged when anybody's answer is in: the one who is hit may always be the last.
        here = self._phase == "merging" or self._where.holds(seen)
        if seen.round >= 2 and here and _BEGINS[self._phase](self, seen):
            self.trigger = seen
            return True
        return False

    @property
    def inline(self) -> bool:
        """Whether the phase began with a message that holds what otherwise comes in pieces."""
        return self.trigger is not None and isinstance(self.trigger.body, Ask)

    def _others(self, seen: Seen) -> bool:
        return len(self._taken.get((seen.round, seen.broker), ())) < len(self._where.members)

    def _last(self, seen: Seen) -> bool:
        """Whether with this message an answer is whole: the last of the round, where any will do."""
        answer = self._answers.get(seen.ask)
        whole = answer is not None and (
            (isinstance(seen.body, Chunk) and seen.body.index == count(answer.size, answer.chunk) - 1)
            or (seen.body is answer and answer.inline is not None)
        )
        alone = len(self._taken.get((seen.round, seen.broker), ())) == len(self._where.members) - 1
        return whole and (alone or self._where.member != "")

    def _downloaded(self, seen: Seen) -> bool:
        ask = self._asks.get(seen.ask)
        return ask is not None and (
            isinstance(seen.body, Block) and seen.body.blob == ask.weights and (seen.body.index + 1) * 4096 >= seen.body.size
        )

    def _trains(self, seen: Seen) -> bool:
        ask = self._asks.get(seen.ask)
        if ask is None or not isinstance(seen.body, Started):
            return self._downloaded(seen)
        return ask.inline is not None or (seen.member, ask.weights) in self._have


def _ok(watch: Watch, seen: Seen) -> bool:
    return isinstance(seen.body, Receipt) and seen.body.status != "need"


def _with_all(body: Body, kind: type[Ask] | type[Answer]) -> bool:
    """Whether it holds what otherwise comes in pieces."""
    return isinstance(body, kind) and body.inline is not None


_Look = Callable[[Watch, Seen], bool]
_BEGINS: dict[str, _Look] = {
    "downloading": lambda watch, seen: isinstance(seen.body, Block) or _with_all(seen.body, Ask),
    "training": Watch._trains,
    "uploading": lambda watch, seen: isinstance(seen.body, Chunk) or _with_all(seen.body, Answer),
    "merging": lambda watch, seen: _ok(watch, seen) and watch._others(seen),
    "committing": Watch._last,
}
_ENDS: dict[str, _Look] = {
    "downloading": lambda watch, seen: watch._downloaded(seen) or (watch.inline and isinstance(seen.body, Started)),
    "training": lambda watch, seen: isinstance(seen.body, Answer),
    "uploading": _ok,
    "merging": lambda watch, seen: not watch._others(seen),
    "committing": _ok,
}
