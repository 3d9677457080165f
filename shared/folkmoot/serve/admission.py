"""What an answer must pass before it merges: what it is relative to, its form, then the screens. The first rejection counts.

Nothing here changes anything: a rejected answer leaves the sums as they are, and the round goes on without it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from folkmoot import parts, plugins
from folkmoot.errors import PeerFault
from folkmoot.screen import Candidate, Rejected, Screen
from folkmoot.transform import Transform
from folkmoot.wire import codec, partial
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Answer, Ask
from folkmoot.wire.partial import Partial

# Forms before numbers, and `finite` before `bound`, which a NaN does not hold either: the reason is to be the true one.
ORDER = ("shape", "dtype", "weight", "finite", "bound", "metrics")

MEASURING = "evaluate"  # the phase whose answers are metrics alone
# What the parts of a payload take at most, in bytes with their heads: a leaf (name, fate, note), a metric (name, sum), a group
# (name, weight, tag) and its elements, and what is left.
LEAF, METRIC, GROUP, ELEMENT, REST = 34 + 66 + 4_099 + 1, 34 + 9, 34 + 9 + 12, 8, 64


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer may merge."""

    partial: Partial


Verdict = Taken | Rejected
Options = Mapping[str, object]


class Admission:
    """The rules of one Ask."""

    def __init__(self, ask: Ask, layout: Layout, leaves: int, screens: Mapping[str, Options] | None = None) -> None:
        """`leaves`: devices below one member, at most. `screens`: options of those in ORDER, and further ones, which come last.

        Raises UserFault for a screen, an option or a transform that is unknown.
        """
        chosen: dict[str, Options] = {**{name: {} for name in ORDER}, **(screens or {})}
        self._ask = ask
        self._layout = layout
        self._screens: tuple[Screen, ...] = tuple(plugins.load("screens", name, options) for name, options in chosen.items())
        self._transform: Transform | None = plugins.load("transforms", ask.transform) if ask.transform else None
        self._tensors = {name: [tensor.size for tensor in tensors] for name, tensors in layout.groups.items()}
        self.sizes = {} if ask.phase == MEASURING else layout.sizes()
        self.limit = REST + LEAF * leaves + METRIC * codec.MAP + sum(GROUP + ELEMENT * size for size in self.sizes.values())
        """Bytes beyond which no payload can be sound."""

    def judge(self, member: str, answer: Answer, payload: bytes, below: Collection[str] | None = None) -> Verdict:
        """Gives the partial in `payload`, or why it must not merge.

        `answer` is its manifest, whose digest has been compared with the payload when it came in (folkmoot.hop.upper). `below`
        names the devices that `member` may answer for; None: any. A device answers for itself alone.
        """
        ask = self._ask
        if (answer.base, answer.weights) != (ask.base, ask.weights):
            return Rejected("stale_base", f"relative to version {answer.base}; version {ask.base} was asked")
        if answer.program != ask.program:
            return Rejected("wrong_program", f"made by program {answer.program.hex()[:8]}; {ask.program.hex()[:8]} was asked")
        try:
            content = parts.decoded(partial.load(payload, limit=self.limit), self._transform, self._tensors)
        except PeerFault as fault:
            return Rejected(fault.reason, fault.detail)
        if below is not None and (foreign := sorted({leaf.device for leaf in content.leaves}.difference(below))):
            return Rejected("foreign_leaf", f"{', '.join(foreign[:3])}: not below {member}")
        return self._screen(member, content)

    def _screen(self, member: str, content: Partial) -> Verdict:
        merged = content.merged
        if not merged and not any(leaf.device != member for leaf in content.leaves):
            return Rejected("no_usable_updates", "no device's update is in it, and no word of what became of one")
        arrays = {name: parts.view(group) for name, group in content.groups.items()}
        candidate = Candidate(
            groups=content.groups,
            arrays=arrays,
            extremes={name: parts.extremes(array) for name, array in arrays.items()},
            sizes=self.sizes if merged else {},
            metrics=content.metrics,
            leaves=len(merged),
            device=merged == (member,),
        )
        for screen in self._screens:
            rejected = screen.judge(candidate, self._ask, self._layout)
            if rejected is not None:
                return rejected
        return Taken(content)
