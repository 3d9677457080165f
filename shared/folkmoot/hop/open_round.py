"""An open round with everything that its upper end keeps in memory for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from folkmoot.hop import round
from folkmoot.hop.ports import Sums

History = Sequence[tuple[int, round.Event]]
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
    # For the record alone, hence not journalled: bytes up and down, and ms from the first Ask to the answer, by member.
    traffic: dict[str, tuple[int, int]] = field(default_factory=dict)
    answered_ms: dict[str, int] = field(default_factory=dict)

    def count(self, member: str, up: int = 0, down: int = 0) -> None:
        """Counts bytes of messages that are about this round."""
        before = self.traffic.get(member, (0, 0))
        self.traffic[member] = (before[0] + up, before[1] + down)
