"""A round of a recording, made again from any of its answers: sums of integers do not mind who else is in them."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from folkmoot import parts
from folkmoot.errors import FolkmootError, PeerFault, UserFault
from folkmoot.flight.player import Seen
from folkmoot.hop import events
from folkmoot.hop.effects import Merge
from folkmoot.hop.open_round import late
from folkmoot.serve.sums import Sums
from folkmoot.wire import bundle
from folkmoot.wire.bundle import Program
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Answer
from folkmoot.wire.partial import Partial

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Given:
    """One answer that was in the sums."""

    member: str
    content: bytes
    manifest: Answer
    belated: events.Belated | None
    devices: tuple[str, ...]
    at: int  # ms since 1970 when it was whole
    after: int  # ms since the round began


@dataclass(frozen=True, slots=True)
class Traits:
    """What an answer looks like beside the others."""

    weight: int
    norm: float  # of the mean of its devices' changes, L2 over all tensors
    cosine: float | None  # with the mean of all other answers; None: there is none, or one of the two does not move


class Remade:
    """The round."""

    def __init__(self, seen: Seen) -> None:
        """Raises UserFault where an answer of it is not in the recording, FolkmootError where it is not made again alike."""
        machine = seen.open.round
        self.ask = machine.opened.ask
        self.program: Program = bundle.program(seen.open.blobs[self.ask.program])
        self.base = seen.open.blobs[self.ask.weights]
        self.tier = seen.tier
        self._layout: Layout = self.program.manifest.layout
        self._maker = seen.maker
        missing = [merge.member for merge in machine.merged if merge.payload not in seen.kept]
        if missing:
            raise UserFault(
                f"round {self.ask.round} began before the recording does: the answers of {', '.join(missing)} are not in it"
            )
        found = [self._given(merge, seen) for merge in machine.merged]
        self.answers = sorted(found, key=lambda one: (one.at, one.member))
        if self.sums(range(len(found))).groups != _groups(seen):
            raise FolkmootError(f"round {self.ask.round} comes out differently when it is made again: it cannot be taken apart")

    def _given(self, merge: Merge, seen: Seen) -> Given:
        kept, origin = seen.kept[merge.payload], merge.belated if merge.belated is not None else self.ask
        manifest = Answer(
            base=origin.base,
            weights=origin.weights,
            program=self.ask.program,
            payload=merge.payload,
            size=len(kept.content),
        )
        devices = merge.belated.leaves if merge.belated is not None else seen.open.round.seats[merge.member].leaves
        return Given(merge.member, kept.content, manifest, merge.belated, devices, kept.at, kept.after)

    def sums(self, chosen: Collection[int]) -> Partial:
        """Gives the sums of these answers alone, by their numbers."""
        sums = Sums(self.ask, self._layout)
        for number in chosen:
            self._add(sums, self.answers[number])
        return sums.partial()

    def model(self, chosen: Collection[int]) -> bytes:
        """Gives the block of weights that the round would have made of these answers; the old one where it makes nothing."""
        try:
            return self._maker(self.sums(chosen))
        except PeerFault:
            return self.base

    def traits(self) -> list[Traits]:
        """Gives what each answer looks like beside the others."""
        sums = Sums(self.ask, self._layout)
        for one in self.answers:
            self._add(sums, one)
        found = []
        for number, one in enumerate(self.answers):
            alone = self.sums([number])
            mine = self._mean(alone)
            sums.remove(one.member, one.manifest, one.content, late(one.belated))
            rest = self._mean(sums.partial())
            self._add(sums, one)
            norm = 0.0 if mine is None else float(np.linalg.norm(mine))
            found.append(Traits(max((group.weight for group in alone.groups.values()), default=0), norm, _cosine(mine, rest)))
        return found

    def _add(self, sums: Sums, one: Given) -> None:
        judged = sums.judge(one.member, one.manifest, one.content, None, late(one.belated))
        if judged.rejection:
            raise FolkmootError(f"the answer of {one.member}, which was taken then, is now {judged.rejection}: {judged.detail}")
        sums.add(one.member, judged.content)

    def _mean(self, sums: Partial) -> Vector | None:
        try:
            mean = parts.mean(sums, self._layout, self.ask.scale)
        except PeerFault:
            return None
        return np.concatenate([change.ravel() for change in mean.values()]) if mean else None


def _groups(seen: Seen) -> object:
    assert isinstance(seen.open.sums, Sums)
    return seen.open.sums.partial().groups


def _cosine(mine: Vector | None, rest: Vector | None) -> float | None:
    if mine is None or rest is None:
        return None
    length = float(np.linalg.norm(mine) * np.linalg.norm(rest))
    return float(mine @ rest) / length if length else None
