"""What can go wrong between a sender and a receiver, as chances, for a network that a seed decides."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Partition:
    """Some clients cannot reach the broker for a while."""

    clients: frozenset[str]
    start: int  # ms
    end: int


@dataclass(frozen=True, slots=True)
class Adversary:
    """All chances are per message or packet, from 0 to 1. The default does no harm and takes a millisecond."""

    drop: float = 0.0  # lost on its way to one subscriber, after the broker has acknowledged it to the publisher
    duplicate: float = 0.0  # delivered twice
    linger: float = 0.0  # delivered once more, much later
    corrupt: float = 0.0  # one bit of the payload is another one
    truncate: float = 0.0  # the end of the payload is gone
    reorder: float = 0.0  # a packet does not wait for the ones before it
    cut: float = 0.0  # the connection breaks instead
    delay_ms: tuple[int, int] = (1, 1)  # each way, drawn evenly; at least 1, so that two nodes cannot talk for ever in no time
    linger_ms: tuple[int, int] = (1_000, 60_000)
    partitions: tuple[Partition, ...] = ()

    def latency(self, rng: Random) -> int:
        """Gives the milliseconds that a packet takes one way."""
        return max(1, rng.randint(*self.delay_ms))

    def overtakes(self, rng: Random) -> bool:
        """Whether a packet may arrive before the ones that were sent before it."""
        return rng.random() < self.reorder

    def cuts(self, rng: Random) -> bool:
        """Whether the connection breaks instead of carrying a packet."""
        return rng.random() < self.cut

    def copies(self, payload: bytes, rng: Random) -> list[bytes]:
        """Gives what reaches one subscriber of one message: nothing, the payload, or two, each of them perhaps damaged."""
        if rng.random() < self.drop:
            return []
        number = 2 if rng.random() < self.duplicate else 1
        return [self._damage(payload, rng) for _ in range(number)]

    def lingers(self, rng: Random) -> int | None:
        """Gives after how many ms a message comes once more; None: it does not."""
        return rng.randint(*self.linger_ms) if rng.random() < self.linger else None

    def _damage(self, payload: bytes, rng: Random) -> bytes:
        if payload and rng.random() < self.truncate:
            payload = payload[: rng.randrange(len(payload))]
        if payload and rng.random() < self.corrupt:
            place = rng.randrange(8 * len(payload))
            damaged = bytearray(payload)
            damaged[place // 8] ^= 1 << place % 8
            payload = bytes(damaged)
        return payload

    def parted(self, client: str, now: int) -> int | None:
        """Gives when a client that cannot reach the broker now can do so again; None where it can."""
        ends = [part.end for part in self.partitions if client in part.clients and part.start <= now < part.end]
        return max(ends, default=None)
