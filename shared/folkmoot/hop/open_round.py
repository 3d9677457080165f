"""An open round with everything that its upper end keeps in memory for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from folkmoot.errors import StoreFault
from folkmoot.hop import events, round
from folkmoot.hop.batch import Batch
from folkmoot.hop.effects import Effect, Merge, Unmerge
from folkmoot.hop.ports import Late, Sums
from folkmoot.wire.messages import Answer

History = Sequence[tuple[int, events.Event]]
Kept = Callable[[bytes], bytes | None]


@dataclass(slots=True)
class Open:
    """A round with everything that its upper end keeps in memory for it."""

    key: str
    round: round.Round
    sums: Sums
    blobs: Mapping[bytes, bytes]  # by sha256: what members may pull
    shard: str
    kept: int = 0  # bytes of the answers that are in the sums
    spent: bool = False  # the sums are an answer, and are let go: where they are needed once more, they are added up again
    # For the record alone, hence not journalled: bytes up and down by member, messages of all, and ms from the first Ask to
    # the answer, by member.
    traffic: dict[str, tuple[int, int]] = field(default_factory=dict)
    messages: int = 0
    answered_ms: dict[str, int] = field(default_factory=dict)

    def rebuild(self, history: History, kept: Kept | None) -> None:
        """Plays the journal of a round back, and adds up the answers that are in it now. `kept`: None: they are let go as well.

        Raises StoreFault where one of them, which was told ok, is gone or would no longer be taken.
        """
        for now, event in history:
            self.round.handle(event, now)
        if kept is None:
            self.spent = True
        else:
            self.add_up(kept)

    def add_up(self, kept: Kept) -> None:
        """Adds up anew the answers that are in the round. Raises StoreFault as `rebuild` does."""
        self.sums.clear()
        self.kept = 0
        for merge in self.round.merged:
            data = kept(merge.payload)
            if data is None:
                raise StoreFault(f"an answer of {merge.member} in {self.key} that was told ok is gone from the store")
            judged = self.sums.judge(merge.member, self._manifest(merge, data), data, None, late(merge.belated))
            if judged.rejection:
                raise StoreFault(f"an answer of {merge.member} in {self.key} that was taken is now {judged.rejection}")
            self.sums.add(merge.member, judged.content)
            self.kept += len(data)
        self.spent = False

    def retract(self, batch: Batch, owner: str, device: str, kept: Kept) -> list[Effect] | None:
        """Takes a device out, and the answers that it is in out of the sums; gives what else there is to do.

        Gives None, and changes nothing, where `kept` does not have such an answer. `owner` is the round's key in the journal.
        Raises StoreFault where the sums are to be made again without it, and it does not have another one.
        """
        if device in self.round.retracted:
            return []
        held = self.round.holder(device)
        payloads = [late.payload for late in self.round.holding(device)] + ([] if held is None else [held[1]])
        contents = {payload: data for payload in payloads if (data := batch.kept(owner, payload) or kept(payload)) is not None}
        if not self.spent and len(contents) < len(set(payloads)):
            return None
        event = events.Retracted(device)
        effects = self.round.handle(event, batch.now)
        batch.journal.append((owner, event))
        for effect in effects:
            if isinstance(effect, Unmerge):
                batch.drop(owner, effect.payload)
                if not self.spent:
                    data = contents[effect.payload]
                    self.sums.remove(effect.member, self._manifest(effect, data), data, late(effect.belated))
                    self.kept -= len(data)
        if self.spent:
            self.add_up(kept)
        return effects

    def _manifest(self, merge: Merge | Unmerge, data: bytes) -> Answer:
        ask = self.round.opened.ask
        origin = merge.belated if merge.belated is not None else ask
        return Answer(base=origin.base, weights=origin.weights, program=ask.program, payload=merge.payload, size=len(data))

    def count(self, member: str, up: int = 0, down: int = 0) -> None:
        """Counts bytes of messages that are about this round."""
        self.messages += 1
        before = self.traffic.get(member, (0, 0))
        self.traffic[member] = (before[0] + up, before[1] + down)


def late(belated: events.Belated | None) -> Late | None:
    """Gives what a belated answer is relative to, and what it counts."""
    return None if belated is None else Late(belated.base, belated.weights, belated.factor)
