"""Who among the replicas lives. No I/O, no clock."""

from collections.abc import Collection, Mapping

# Seconds that a dead replica's shards stand still before others take them up. It must outlast what a living process may be
# held up by: a large model that is summed or read while nothing else gets its turn takes seconds, a checkpoint of the
# database about as long. Beyond that, shorter is better: nobody is answered meanwhile.
LEASE = 10.0
# Seconds between two beats. A statement about one row costs nothing, and eight may be lost before anybody is thought dead.
BEAT = 1.0

Counts = Mapping[str, tuple[str, int]]
"""Replica to its process and the number of its beats."""


class Watch:
    """What one replica has seen of the others' counters.

    A replica is dead when its counter has stood still for the length of a lease, by the clock of whoever watches: no two clocks
    are compared (as in Kubernetes' leader election, client-go's `leaderelection`). Time in which the watcher itself did not
    look does not count, so a database that was away for everybody costs nobody a lease.
    """

    def __init__(self, lease_ms: int = int(LEASE * 1000)) -> None:
        self._lease = lease_ms
        self._looked = 0
        self._seen: dict[str, tuple[tuple[str, int], int]] = {}

    def look(self, counts: Counts, now: int) -> None:
        """Takes what the table says at `now`, ms of any clock that only goes forward."""
        attended = now - self._looked <= self._lease // 2
        self._looked = now
        before, self._seen = self._seen, {}
        for name, count in counts.items():
            known = before.get(name)
            stood = attended and known is not None and known[0] == count
            self._seen[name] = known if known is not None and stood else (count, now)

    def alive(self, now: int) -> frozenset[str]:
        """Gives the replicas that are not dead."""
        return frozenset(name for name, (_, since) in self._seen.items() if now - since < self._lease)


def share(me: str, alive: Collection[str], shards: int) -> int:
    """Gives how many shards are this replica's part; the parts of all of them are all shards."""
    everybody = sorted({me, *alive})
    return shards // len(everybody) + (everybody.index(me) < shards % len(everybody))
