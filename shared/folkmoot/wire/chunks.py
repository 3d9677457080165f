"""Cutting a payload into pieces and knowing which ones are there."""

import zlib
from collections.abc import Iterator

from folkmoot.errors import PeerFault

# Bytes of a piece. A connection that breaks takes half a piece with it, and every piece 230 bytes of envelope and framing: to a
# device that reboots three times 1 MB took 1.04 times its bytes, in pieces of 32 KiB 1.07 (docs/decisions/0013).
CHUNK = 16_384
# Where connections hold, up to so much: no more than a payload that travels inside a message. A message costs both ends and the
# broker 1 ms together, whatever is in it: a round of 50 devices with 1 MB each took 3.2 s in pieces of LARGE, 14.6 s in CHUNK.
LARGE = 65_536
# A piece is at most so large a part of what a connection has carried: a break costs 1.6 % of that, whatever the link.
PART = 32
FLOOR = 4_096  # smallest chunk that a member may advertise


def count(size: int, chunk: int) -> int:
    """Gives how many chunks a payload of `size` bytes has; at least one."""
    return max(1, -(-size // chunk))


def suited(carried: int) -> int:
    """Gives how many bytes a piece should have over a connection that has carried so many bytes of them."""
    chunk = CHUNK
    while chunk < LARGE and 2 * chunk * PART <= carried:
        chunk *= 2
    return chunk


def piece(data: bytes | memoryview, index: int, chunk: int) -> bytes:
    """Gives chunk `index` of `data`."""
    return bytes(data[index * chunk : (index + 1) * chunk])


def crc(data: bytes) -> int:
    """Gives the CRC-32 by which a chunk is known again on the disk that it was written to."""
    return zlib.crc32(data)


class Bitmap:
    """Which chunks are there: bit i of byte i // 8, least significant first."""

    def __init__(self, total: int, bits: bytes = b"") -> None:
        """Starts empty or from `bits`; raises PeerFault("malformed") where they do not fit `total`."""
        width = (total + 7) // 8
        if len(bits) not in (0, width):
            raise PeerFault("malformed", f"a bitmap of {len(bits)} bytes for {total} chunks")
        if bits and total % 8 and bits[-1] >> total % 8:
            raise PeerFault("malformed", f"a bitmap with bits behind its {total} chunks")
        self.total = total
        self._bits = bytearray(bits or width)
        self._left = total - sum(byte.bit_count() for byte in self._bits)

    def __contains__(self, index: int) -> bool:
        return 0 <= index < self.total and bool(self._bits[index >> 3] >> (index & 7) & 1)

    def add(self, index: int) -> bool:
        """Notes that a chunk is there; says whether that is news.

        Raises PeerFault("malformed") for an index beyond the payload.
        """
        if not 0 <= index < self.total:
            raise PeerFault("malformed", f"chunk {index} of {self.total}")
        news = index not in self
        self._bits[index >> 3] |= 1 << (index & 7)
        self._left -= news
        return news

    def missing(self, first: int = 0) -> Iterator[int]:
        """Gives the chunks from `first` on that are not there, in order."""
        return (index for index in range(first, self.total) if index not in self)

    @property
    def full(self) -> bool:
        """Whether every chunk is there."""
        return self._left == 0

    def __bytes__(self) -> bytes:
        return bytes(self._bits)
