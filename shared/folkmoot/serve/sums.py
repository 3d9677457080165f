"""The numeric side of one open round (folkmoot.hop.ports.Sums): judges whole answers, and adds up what has been taken."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import msgspec

from folkmoot import parts, plugins
from folkmoot.errors import PeerFault, StoreFault, UserFault
from folkmoot.hop.ports import Judgement, Late
from folkmoot.parts import Fold
from folkmoot.screen import Rejected
from folkmoot.serve.admission import Admission
from folkmoot.strategy import Strategy
from folkmoot.wire import codec
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Answer, Ask
from folkmoot.wire.partial import Leaf, Partial

RING = "z"  # the integers: sums that never wrap
TRAFFIC = ("bytes_up", "bytes_down")  # metrics that are of the answer itself, not of the model that it started from
LEAVES = 1_000  # that a limit counts on where the Ask does not name them


@dataclass(frozen=True, slots=True)
class Blend:
    """What there is to add of an answer to an Ask of an earlier round."""

    partial: Partial
    payload: bytes
    leaves: tuple[Leaf, ...]  # what it says of each device: not a part of the sums, which are of another Ask


class Sums:
    """What one upper end adds up for one Ask."""

    def __init__(self, ask: Ask, layout: Layout) -> None:
        """Loads the Ask's strategy, screens and transform by name. Raises UserFault where it, or the ring, is not here."""
        if ask.ring != RING:
            raise UserFault(f"ring {ask.ring!r} is not here: this node adds up in {RING!r}")
        self._ask = ask
        self._layout = layout
        self._strategy: Strategy = plugins.load("strategies", ask.strategy, ask.options)
        self._admission = Admission(ask, layout, LEAVES)
        self.limit = self._admission.limit
        self.belated: dict[bytes, tuple[Leaf, ...]] = {}
        """What answers to earlier Asks that are in the sums say of their devices, by the sha256 of their payloads."""

    @cached_property
    def _fold(self) -> Fold:
        return Fold(self._admission.sizes, self._ask.scale, self._ask.total)

    def clear(self) -> None:
        """Lets go of all that was added: 8 bytes for each parameter."""
        vars(self).pop("_fold", None)
        self.belated.clear()

    def judge(
        self, member: str, answer: Answer, data: bytes, below: Collection[str] | None, late: Late | None = None
    ) -> Judgement:
        """Screens one whole answer; changes nothing. `late`: what it is relative to, if that is an Ask of an earlier round."""
        admission = self._admission if late is None else self._earlier(late)
        verdict = admission.judge(member, answer, data, below)
        if isinstance(verdict, Rejected):
            return Judgement(rejection=verdict.reason, detail=verdict.detail)
        content = self._weigh(verdict.partial)
        if late is not None:
            return self._discount(content, late, answer.payload)
        try:
            self._fold.check(content)
        except PeerFault as fault:
            return Judgement(rejection=fault.reason, detail=fault.detail)
        return Judgement(leaves=content.merged, content=content)

    def add(self, member: str, content: Partial | Blend) -> None:
        """Adds what `judge` gave last."""
        if isinstance(content, Blend):
            self._fold.blend(content.partial)
            self.belated[content.payload] = content.leaves
        else:
            self._fold.add(content)

    def _earlier(self, late: Late) -> Admission:
        """Gives the rules of an Ask of an earlier round of the run: it differs in nothing else that is judged by."""
        return Admission(msgspec.structs.replace(self._ask, base=late.base, weights=late.weights), self._layout, LEAVES)

    def _discount(self, content: Partial, late: Late, payload: bytes) -> Judgement:
        blend = self._blend(content, late)
        try:
            if blend.groups:
                self._fold.check_blend(blend, late.reserved)
        except PeerFault as fault:
            return Judgement(rejection="full" if fault.reason == "weight_over_cap" else fault.reason, detail=fault.detail)
        return Judgement(leaves=content.merged, content=Blend(blend, payload, content.leaves))

    def _blend(self, content: Partial, late: Late) -> Partial:
        """Makes of an answer what it counts here: its sums discounted, and of its metrics those that are not of its base."""
        return Partial(
            groups={name: parts.discounted(it, late.factor, self._ask.scale) for name, it in content.groups.items()},
            leaves=(),
            metrics={name: value for name, value in content.metrics.items() if name in TRAFFIC},
        )

    def remove(self, member: str, answer: Answer, data: bytes, late: Late | None = None) -> None:
        """Takes an answer that was added out again. Raises StoreFault where `data` would no longer be taken."""
        verdict = (self._admission if late is None else self._earlier(late)).judge(member, answer, data)
        if isinstance(verdict, Rejected):
            raise StoreFault(f"an answer of {member} that was taken is now {verdict.reason}")
        content = self._weigh(verdict.partial)
        if late is None:
            self._fold.retract(content)
        else:
            self._fold.unblend(self._blend(content, late))
            self.belated.pop(answer.payload, None)

    def partial(self) -> Partial:
        """Gives the sums."""
        return self._fold.partial()

    def _weigh(self, partial: Partial) -> Partial:
        """An update says how many examples it is of; what that weighs is the strategy's to say, where it first merges."""
        groups = {
            name: msgspec.structs.replace(group, weight=self._strategy.weigh(group.weight))
            if group.tag == codec.FLOAT32
            else group
            for name, group in partial.groups.items()
        }
        return msgspec.structs.replace(partial, groups=groups)
