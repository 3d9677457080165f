"""Who leaves when, and how: from a seed."""

from dataclasses import dataclass
from random import Random

from tests.kit.processes import Process
from tests.soak.scale import Manner
from tests.soak.town import leave

AWAY = (1.0, 15.0)  # seconds
MOST = 4  # of so many crowds, one is away at most


@dataclass
class Absence:
    """A crowd that has left."""

    crowd: str
    until: float


class Churn:
    """Crowds that leave, one after the other, every second time without a goodbye, and come back."""

    def __init__(self, crowds: dict[str, Process], every: float, rng: Random) -> None:
        """`every`: seconds between two departures."""
        self._crowds = crowds
        self._every = every
        self._rng = rng
        self._next = every
        self._absent: list[Absence] = []
        self.left: dict[Manner, int] = {"kill": 0, "goodbye": 0}

    def tick(self, now: float) -> None:
        """Does what is due. Raises AssertionError where a crowd has ended by itself."""
        self._return(now)
        away = {one.crowd for one in self._absent}
        for name, crowd in self._crowds.items():
            assert name in away or crowd.running, f"{name} has ended: {crowd.said()}"
        if now >= self._next:
            self._next = now + self._every
            if len(away) < max(1, len(self._crowds) // MOST):
                self._leave(self._rng.choice(sorted(self._crowds.keys() - away)), now)

    def everybody(self) -> bool:
        """Has who is away come back; says whether all are there. Call it until they are."""
        self._return(float("inf"))
        return not self._absent

    def _leave(self, name: str, now: float) -> None:
        manner: Manner = "kill" if self.left["kill"] <= self.left["goodbye"] else "goodbye"
        leave(self._crowds[name], manner)
        self.left[manner] += 1
        self._absent.append(Absence(name, now + self._rng.uniform(*AWAY)))

    def _return(self, now: float) -> None:
        for one in [one for one in self._absent if now >= one.until and not self._crowds[one.crowd].running]:
            self._crowds[one.crowd].start()
            self._absent.remove(one)
