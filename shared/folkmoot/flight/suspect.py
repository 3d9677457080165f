"""Who has spoilt a round."""

from dataclasses import dataclass, field

from folkmoot.flight.criterion import Criterion
from folkmoot.flight.remade import Remade
from folkmoot.flight.search import fewest


@dataclass(slots=True)
class Inquiry:
    """The search for the answers that made a round bad by a criterion."""

    remade: Remade
    criterion: Criterion
    looks: int = 0
    """Models that were made and measured."""
    whole: float = 0.0  # the measure with every answer
    without: float = 0.0  # and without those that were found
    alone: float = 0.0  # and with those alone
    found: list[int] = field(default_factory=list)  # numbers of answers
    _known: dict[frozenset[int], float] = field(default_factory=dict)

    def value(self, chosen: frozenset[int]) -> float:
        """Gives the measure of the model that these answers make."""
        if chosen not in self._known:
            self.looks += 1
            self._known[chosen] = self.criterion.measure(self.remade.model(sorted(chosen)))
        return self._known[chosen]

    def search(self) -> bool:
        """Finds them; says False, and finds nobody, where the round is not bad, or is bad without any answer."""
        everybody = frozenset(range(len(self.remade.answers)))
        self.whole = self.value(everybody)
        if not self.criterion.bad(self.whole) or self.criterion.bad(self.value(frozenset())):
            return False
        self.found = fewest(sorted(everybody), lambda gone: not self.criterion.bad(self.value(everybody - gone)))
        culprits = frozenset(self.found)
        self.without, self.alone = self.value(everybody - culprits), self.value(culprits)
        return True
