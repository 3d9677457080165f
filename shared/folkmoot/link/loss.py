"""A line that loses segments: TCP sends them again, and all that was sent behind one waits for it."""

from math import log
from random import Random

SEGMENT = 1_460  # bytes of a TCP segment on Ethernet
# Linux waits for an acknowledgement for a round trip and at least 200 ms more (TCP_RTO_MIN) before it sends again, and twice as
# long each time (RFC 6298, 5.5), at most two minutes (TCP_RTO_MAX).
FIRST, MOST = 200, 120_000  # ms


class Loss:
    """What a line loses of what goes over it, one way."""

    __slots__ = ("_rng", "_round_trip", "share")

    def __init__(self, share: float, latency_ms: int, rng: Random) -> None:
        """`share`: of segments that are lost, below 1; `latency_ms`: one way."""
        self.share = share
        self._round_trip = 2 * latency_ms
        self._rng = rng

    def delay(self, size: int) -> int:
        """Gives for how many ms more a packet of so many bytes is on its way than where nothing is lost.

        Its segments leave together; the one that is lost most often decides: all of n arrive by the k-th repetition with a
        probability of (1 - share^(k + 1))^n.
        """
        segments = -(-size // SEGMENT)
        missed = max(1 - self._rng.random() ** (1 / segments), 1e-15)  # below which share^(k + 1) must come
        times = int(log(missed) / log(self.share)) if missed < self.share else 0
        wait, total = FIRST + self._round_trip, 0
        for _ in range(times):
            total += wait
            wait = min(2 * wait, MOST)
        return total
