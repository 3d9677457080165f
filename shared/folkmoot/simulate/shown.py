"""The upper end of a simulated machine, which shows each round before it is forgotten."""

from collections.abc import Callable

from folkmoot.hop.batch import Batch
from folkmoot.hop.open_round import Open
from folkmoot.hop.upper import Upper

Show = Callable[[Open], None]


def nobody(open: Open) -> None:
    """Nobody looks."""


class Shown(Upper):
    """As folkmoot.hop.upper.Upper."""

    show: Show = staticmethod(nobody)

    def forget(self, batch: Batch, key: str) -> None:
        """Drops a closed round."""
        if (open := self.rounds.get(key)) is not None:
            self.show(open)
        super().forget(batch, key)
