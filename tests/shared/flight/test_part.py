"""The files of a recording."""

import errno
from pathlib import Path

import pytest

from folkmoot.errors import UserFault
from folkmoot.flight import recorder
from folkmoot.flight.part import MARK, PARTS, Part, Writer, parts
from folkmoot.flight.recording import find
from tests.kit.disk import MakeDisk

RECORDS = [(b"head %d" % number, [b"a" * number, b"b" * 7]) for number in range(1, 5)]


def written(folder: Path, limit: int = 1 << 20) -> Path:
    """Gives the one part that holds RECORDS."""
    writer = Writer(folder, limit, spare=0)
    for head, attached in RECORDS:
        writer.write(head, attached)
    writer.close()
    return parts(folder)[0][1]


def read(path: Path) -> tuple[list[tuple[bytes, bytes]], str]:
    """Gives the records of a part, and what could not be read of it."""
    part = Part(path)
    return [(head, bytes(attached)) for head, attached in part], part.left


WHOLE = [(head, b"".join(attached)) for head, attached in RECORDS]


def test_what_was_written_is_read_in_order(tmp_path: Path) -> None:
    assert read(written(tmp_path)) == (WHOLE, "")


def test_wherever_a_part_is_cut_off_the_records_before_are_there_and_the_rest_is_told(tmp_path: Path) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    for end in range(len(MARK), len(content)):
        path.write_bytes(content[:end])
        found, left = read(path)
        assert found == WHOLE[: len(found)]
        whole = len(MARK) + sum(12 + len(head) + len(rest) for head, rest in found)
        assert left == (f"its last {end - whole} bytes are torn" if end > whole else "")


def test_whichever_byte_is_damaged_nothing_of_its_record_or_behind_it_is_believed(tmp_path: Path) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :])
        found, left = read(path)
        assert left
        assert found == WHOLE[: len(found)]
        assert len(MARK) + sum(12 + len(head) + len(rest) for head, rest in found) <= max(at, len(MARK))


def test_the_oldest_parts_go_where_the_limit_would_be_passed(tmp_path: Path) -> None:
    limit = 8_000
    writer = Writer(tmp_path, limit, spare=0)
    for _ in range(200):
        if writer.long:
            writer.turn()
        writer.write(b"h", [bytes(100)])
    writer.close()
    found = parts(tmp_path)
    assert PARTS - 2 <= len(found) <= PARTS
    assert [number for number, _ in found] == [*range(found[0][0], found[0][0] + len(found))]
    assert found[0][0] > 1
    assert sum(path.stat().st_size for _, path in found) <= limit
    assert {path.stat().st_mode & 0o777 for _, path in found} == {0o600}


def test_a_part_goes_on_behind_those_of_an_earlier_process(tmp_path: Path) -> None:
    first = written(tmp_path)
    Writer(tmp_path, 1 << 20, spare=0).close()
    assert [number for number, _ in parts(tmp_path)] == [1, 2]
    assert read(first) == (WHOLE, "")


def test_what_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "disk", 1 << 20)
    writer = Writer(disk.folder / "flight", 1 << 30, spare=0)
    writer.write(*RECORDS[0])
    disk.fill(leave=8_192)
    with pytest.raises(OSError) as caught:
        writer.write(b"large", [bytes(1 << 16)])
    assert caught.value.errno == errno.ENOSPC
    writer.close()
    assert read(parts(disk.folder / "flight")[0][1]) == (WHOLE[:1], "")


def test_room_is_left_to_the_node(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "disk", 1 << 20)
    with pytest.raises(OSError) as caught:
        Writer(disk.folder / "flight", 1 << 30, spare=2 << 20)
    assert caught.value.errno == errno.ENOSPC


def test_a_folder_that_cannot_be_one_is_a_persons_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserFault, match=r"record: .*file.* cannot be used"):
        recorder.check(tmp_path / "file")
    with pytest.raises(UserFault, match=r"record: .*flight.* cannot be used"):
        recorder.recorder(tmp_path / "file" / "flight", "gateway-g1", 1 << 24)


def test_a_recording_is_found_by_its_folder_or_by_the_one_around_it(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="there is no recording"):
        find(tmp_path)
    written(tmp_path / "gateway-g1")
    assert find(tmp_path) == find(tmp_path / "gateway-g1") == tmp_path / "gateway-g1"
    written(tmp_path / "gateway-g2")
    with pytest.raises(UserFault, match=r"several recordings .*gateway-g1, .*gateway-g2"):
        find(tmp_path)
    with pytest.raises(UserFault, match="cannot be read: no such file"):
        find(tmp_path / "nowhere")
