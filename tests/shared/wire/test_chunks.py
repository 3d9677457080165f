import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.wire import chunks
from folkmoot.wire.chunks import Bitmap


@given(st.binary(max_size=500), st.integers(1, 90))
def test_the_pieces_are_the_whole(data: bytes, size: int) -> None:
    pieces = [chunks.piece(data, index, size) for index in range(chunks.count(len(data), size))]
    assert b"".join(pieces) == data
    assert all(len(piece) == size for piece in pieces[:-1])


def test_nothing_is_one_piece() -> None:
    assert chunks.count(0, chunks.CHUNK) == 1
    assert chunks.piece(b"", 0, chunks.CHUNK) == b""


@given(st.integers(0, 1 << 24))
def test_a_piece_is_a_small_part_of_what_a_connection_has_carried(carried: int) -> None:
    chunk = chunks.suited(carried)
    assert chunk in (chunks.CHUNK, chunks.LARGE // 2, chunks.LARGE)
    assert chunk == chunks.CHUNK or chunk * chunks.PART <= carried
    assert chunk == chunks.LARGE or 2 * chunk * chunks.PART > carried


@given(st.integers(1, 70), st.data())
def test_a_bitmap_knows_what_is_there_and_survives_its_bytes(total: int, data: st.DataObject) -> None:
    bitmap, there = Bitmap(total), set()
    for index in data.draw(st.lists(st.integers(0, total - 1))):
        assert bitmap.add(index) == (index not in there)
        there.add(index)
    again = Bitmap(total, bytes(bitmap))
    for each in (bitmap, again):
        assert [index for index in range(total) if index in each] == sorted(there)
        assert list(each.missing()) == sorted(set(range(total)) - there)
        assert each.full == (len(there) == total)


def test_bits_lie_least_significant_first() -> None:
    bitmap = Bitmap(10)
    bitmap.add(0)
    bitmap.add(9)
    assert bytes(bitmap) == b"\x01\x02"


@pytest.mark.parametrize("index", [-1, 10, 1 << 40])
def test_a_chunk_beyond_the_payload_is_refused_and_not_noted(index: int) -> None:
    bitmap = Bitmap(10)
    with pytest.raises(PeerFault, match="malformed"):
        bitmap.add(index)
    assert index not in bitmap
    assert bytes(bitmap) == b"\x00\x00"


@pytest.mark.parametrize("bits", [b"\x00", b"\x00\x00\x00", b"\x00\x04", b"\xff\xff"])
def test_a_bitmap_of_another_payload_is_refused(bits: bytes) -> None:
    with pytest.raises(PeerFault, match="malformed"):
        Bitmap(10, bits)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_one_damaged_bit_shows_in_the_crc(data: bytes, choice: st.DataObject) -> None:
    damaged = bytearray(data)
    damaged[choice.draw(st.integers(0, len(data) - 1))] ^= 1 << choice.draw(st.integers(0, 7))
    assert chunks.crc(bytes(damaged)) != chunks.crc(data)
