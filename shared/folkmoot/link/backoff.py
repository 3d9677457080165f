"""How long to wait before the next attempt to connect."""

from random import Random

# Mosquitto 2.1 moved its bridges to the same scheme and bounds. Ten thousand homes behind one broker that restarts come back
# spread over the bounds and not on the same second.
SHORTEST = 1.0  # seconds
LONGEST = 120.0


class Backoff:
    """Decorrelated jitter: each wait is drawn from [shortest, 3 x the last one], at most `longest`.

    M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, rng: Random, shortest: float = SHORTEST, longest: float = LONGEST) -> None:
        self._rng = rng
        self._shortest = shortest
        self._longest = longest
        self._last = shortest

    def after(self, lived: float, *, lasting: bool = False) -> float:
        """Gives the seconds to wait after a connection that lived for `lived` seconds, 0 where none came about.

        One that outlived the wait before it starts the series afresh: a broker that takes us and throws us out at once
        must not be asked every second. A `lasting` fault goes to the longest wait: somebody has to change something.
        """
        if lasting:
            self._last = self._longest
            return self._longest
        if lived > self._last:
            self._last = self._shortest
        self._last = min(self._longest, self._rng.uniform(self._shortest, 3 * self._last))
        return self._last
