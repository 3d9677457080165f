"""Large answers on their way to one upper end, in pieces: one for each Ask of a member, as many as spool and broker take.

Whoever comes when there is no place waits for its turn, which comes when a transfer ends. One that has stood still for a while
gives its place to those that wait; what is there of it stays, as long as there is room for it.
"""

from collections.abc import Iterator

from folkmoot.hop.ports import Spool
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Answer, Chunk

# ms without a piece. A member without a receipt says its manifest again after 30 s (folkmoot.hop.member): one that is still
# there has had two chances to go on.
STALLED = 75_000
# Bytes that members may have been told to send and that have not come. A broker acknowledges what it has queued for us, so that
# nothing slows them down, and drops what is beyond its limit without a word: our Mosquitto for a home 8 MiB, one as it is
# installed 1,000 messages. Of 25 members with 1 MB each on a fast network some lost a piece, and went on when they offered
# again, after 30 s. A piece counts as chunks.CHUNK at least.
AHEAD = 6 << 20
# ms from which on what is told does not count: a member that takes so long has a slow link, and its pieces wait there.
HURRY = 3_000

Key = tuple[str, bytes]
"""A member, and the sha256 of the payload."""


class Transfers:
    """What is coming, and what waits."""

    def __init__(self, spool: Spool, ahead: int = AHEAD) -> None:
        """`ahead`: bytes that may be on their way at once; a larger answer is, when nothing else is."""
        self._spool = spool
        self._most = ahead
        self._ahead: dict[Key, tuple[int, int]] = {}  # when it was told to send, ms of the timeline, and bytes yet to come
        self._coming: dict[Key, Answer] = {}
        self._heard: dict[Key, int] = {}  # when the last piece of it came, ms of the timeline
        self._waiting: dict[Key, tuple[bytes, Answer]] = {}  # with the id of the Ask
        self._spoilt: dict[Key, int] = {}  # how often all of it came and was damaged

    def begin(self, member: str, ask: bytes, answer: Answer, now: int) -> chunks.Bitmap | None:
        """Gives which pieces are there; None where there is no place now: `turns` gives it again when there is one."""
        key = (member, answer.payload)
        if not self._flows(answer, key, now) or not (self._fits(answer, key) or self._make_place(answer, key, now)):
            self._waiting[key] = (ask, answer)
            return None
        self._waiting.pop(key, None)
        self._coming[key] = answer
        self._heard[key] = now
        self._ahead[key] = (now, _weight(answer))
        return self._spool.have(_name(key), answer.size, answer.chunk)

    def write(self, member: str, piece: Chunk, now: int) -> Answer | None:
        """Stores a piece; gives the manifest when all are there.

        A piece without a manifest is of a transfer that is over, or of one before a restart: that goes on, and its manifest,
        which our Ask brings again, stands behind the pieces that are on their way.
        """
        key = (member, piece.payload)
        answer = self._coming.get(key)
        if answer is None and not self._spool.resume(_name(key)):
            return None
        self._heard[key] = now
        if key in self._ahead:
            told, left = self._ahead[key]
            self._ahead[key] = (told, left - max(len(piece.data), chunks.CHUNK))
        return answer if self._spool.write(_name(key), piece.index, piece.data) else None

    def read(self, member: str, payload: bytes) -> bytes:
        """Gives the whole payload of a transfer."""
        return self._spool.read(_name((member, payload)))

    def spoil(self, member: str, payload: bytes) -> int:
        """Throws away what has come: together it is not what the manifest names. Gives how often that was so by now.

        Until the transfer ends, that is: whoever begins it again goes on counting.
        """
        times = self._spoilt.get((member, payload), 0) + 1
        self.end(member, payload)
        self._spoilt[member, payload] = times
        return times

    def end(self, member: str, payload: bytes) -> None:
        """Forgets a transfer, where there is one."""
        key = (member, payload)
        self._spoilt.pop(key, None)
        self._waiting.pop(key, None)
        self._coming.pop(key, None)
        self._ahead.pop(key, None)
        if self._heard.pop(key, None) is not None:
            self._spool.drop(_name(key))

    @property
    def wake(self) -> int | None:
        """When to look whose turn it is although nothing has come, or None."""
        return min((told + HURRY for told, _ in self._ahead.values()), default=None) if self._waiting else None

    def turns(self, now: int) -> Iterator[tuple[str, bytes, Answer]]:
        """Yields member, Ask id and manifest of those that can begin now, in the order in which they came."""
        if self._waiting:
            self._ahead = {key: ahead for key, ahead in self._ahead.items() if now - ahead[0] < HURRY}
        while self._waiting:
            key, (ask, answer) = next(iter(self._waiting.items()))
            if not self._flows(answer, key, now) or not self._fits(answer, key):
                return
            del self._waiting[key]
            yield key[0], ask, answer

    def _flows(self, answer: Answer, key: Key, now: int) -> bool:
        """Says whether the broker holds this one too, where its pieces come faster than they are taken."""
        if key in self._coming:
            return True
        ahead = sum(max(left, 0) for told, left in self._ahead.values() if now - told < HURRY)
        return not ahead or ahead + _weight(answer) <= self._most

    def _fits(self, answer: Answer, key: Key) -> bool:
        return self._spool.fits(_name(key), answer.size)

    def _make_place(self, answer: Answer, key: Key, now: int) -> bool:
        """Takes the places of those that stand still; says whether there is one now."""
        for still, heard in sorted(self._heard.items(), key=lambda item: item[1]):
            if now - heard < STALLED:
                return False
            self._coming.pop(still, None)
            del self._heard[still]
            self._ahead.pop(still, None)
            self._spool.rest(_name(still))
            if self._fits(answer, key):
                return True
        return False


def _weight(answer: Answer) -> int:
    """Gives how many bytes of a broker's queue an answer may take."""
    return chunks.count(answer.size, answer.chunk) * max(answer.chunk, chunks.CHUNK)


def _name(key: Key) -> bytes:
    """Gives the name of a transfer in the spool: what a member sends is its own affair, whoever else has announced the same."""
    member, payload = key
    return codec.digest(member.encode() + payload)
