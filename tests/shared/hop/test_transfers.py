"""Large answers on their way up: so many at once, one for each Ask, none in another's way."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from folkmoot.hop import events
from folkmoot.hop.batch import Batch, Send
from folkmoot.hop.ids import ask_id
from folkmoot.hop.transfers import AHEAD, HURRY, STALLED
from folkmoot.hop.upper import DAMAGED, Upper
from folkmoot.store.spool import MOST, Spool
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Answer, Chunk, Receipt
from tests.kit.asks import ask
from tests.kit.ends import TREE, Heap, up

PIECE = 1_024
SIZE = 4 * PIECE
NOTES = 100  # bytes of a transfer beside its pieces, at most


def content(number: int) -> bytes:
    """Gives the bytes of an answer."""
    return number.to_bytes(4, "big") * (SIZE // 4)


def manifest(data: bytes, size: int = 0) -> Answer:
    """Gives its manifest."""
    return Answer(base=0, weights=b"w" * 32, program=b"p" * 32, payload=codec.digest(data), size=size or len(data), chunk=PIECE)


def pieces(data: bytes) -> list[Chunk]:
    """Gives its pieces."""
    parts = [chunks.piece(data, index, PIECE) for index in range(chunks.count(len(data), PIECE))]
    return [Chunk(payload=codec.digest(data), index=index, data=part) for index, part in enumerate(parts)]


def home(folder: Path, members: int, limit: int = 1 << 30) -> Upper:
    """Gives an upper end with a round open for d0, d1, ... and a spool that takes `limit` bytes."""
    made = Upper(TREE, "g1", Spool(folder / "spool", limit), 4_000)
    invited = tuple(events.Invitation(f"d{number}") for number in range(members))
    made.open(Batch(0), events.Opened("k", ask(), events.Terms(deadline=600_000), invited), Heap(), {})
    return made


def say(end: Upper, name: str, body: Answer | Chunk, now: int = 0) -> Batch:
    """Gives what the upper end makes of a message of a member, and of the turns that this gives to others."""
    batch = up(end, body, ask=ask_id("k", name), src=name, member=name, now=now)
    end.tick(batch)
    return batch


def told(batch: Batch) -> list[tuple[str, str, str]]:
    """Gives who is told what."""
    return [(send.member, send.body.status, send.body.reason) for send in batch.sends if isinstance(send.body, Receipt)]


def parts(folder: Path) -> int:
    """Gives how many transfers have something on the disk."""
    return len(list((folder / "spool").glob("*.part")))


def open_files() -> int:
    """Gives how many files this process has open."""
    return len([*Path("/proc/self/fd").iterdir()])


def test_so_many_come_at_once_and_the_others_in_their_turn_until_all_are_counted(tmp_path: Path) -> None:
    count = MOST + 10
    end = home(tmp_path, count)
    asked = [told(say(end, f"d{number}", manifest(content(number)))) for number in range(count)]
    assert asked == [[(f"d{number}", "need", "")] for number in range(MOST)] + [[]] * 10
    assert parts(tmp_path) == MOST
    coming = [f"d{number}" for number in range(MOST)]
    for number in range(count):
        assert f"d{number}" == coming[number]
        last = [say(end, f"d{number}", piece) for piece in pieces(content(number))][-1]
        ok, *turns = told(last)
        assert ok == (f"d{number}", "ok", "")
        coming += [name for name, status, _ in turns if status == "need"]
    sums = end.rounds["k"].sums
    assert isinstance(sums, Heap)
    assert sums.added == {f"d{number}": content(number) for number in range(count)}
    assert parts(tmp_path) == 0


def test_a_member_has_one_transfer_for_an_ask_however_many_it_announces(tmp_path: Path) -> None:
    end = home(tmp_path, 1)
    before = open_files()
    for number in range(200):
        assert told(say(end, "d0", manifest(content(number)))) == [("d0", "need", "")]
    assert parts(tmp_path) == 1
    assert open_files() == before + 1
    say(end, "d0", pieces(content(7))[0])  # of one that it has given up: nothing
    assert told([say(end, "d0", piece) for piece in pieces(content(199))][-1]) == [("d0", "ok", "")]


def test_what_cannot_be_kept_is_refused_with_a_reason_and_nothing_is_stored_of_it(tmp_path: Path) -> None:
    end = home(tmp_path, 3, limit=2 * SIZE)
    assert told(say(end, "d0", manifest(b"large", size=2 * SIZE + 1))) == [("d0", "bad", "no_room")]
    assert parts(tmp_path) == 0
    end.budget = SIZE + 1
    batch = [say(end, "d1", message) for message in (manifest(content(1)), *pieces(content(1)))][-1]
    assert told(batch) == [("d1", "ok", "")]
    batch = say(end, "d2", manifest(content(2)))  # beside the one that is kept
    assert (told(batch), batch.keeps) == ([("d2", "bad", "no_room")], [])


def test_what_is_kept_of_a_round_that_is_over_counts_no_more(tmp_path: Path) -> None:
    end = home(tmp_path, 1)
    end.budget = SIZE
    [say(end, "d0", message) for message in (manifest(content(1)), *pieces(content(1)))]
    end.forget(Batch(1), "k")
    end.open(Batch(2), events.Opened("k", ask(), events.Terms(deadline=600_000), (events.Invitation("d0"),)), Heap(), {})
    assert told(say(end, "d0", manifest(content(2)))) == [("d0", "need", "")]


def test_one_that_stands_still_gives_its_place_and_goes_on_where_it_stood(tmp_path: Path) -> None:
    end = home(tmp_path, MOST + 1)
    for number in range(MOST):
        say(end, f"d{number}", manifest(content(number)))
    say(end, "d0", pieces(content(0))[0])
    late = f"d{MOST}"
    assert told(say(end, late, manifest(content(MOST)), now=STALLED - 1)) == []
    assert told(say(end, late, manifest(content(MOST)), now=STALLED)) == [(late, "need", "")]
    say(end, "d0", pieces(content(0))[1], now=STALLED)  # it has no place: the manifest will say that it is there
    for piece in pieces(content(MOST)):
        batch = say(end, late, piece, now=STALLED)
    assert (late, "ok", "") in told(batch)
    (need,) = (send for send in say(end, "d0", manifest(content(0)), now=STALLED).sends if isinstance(send.body, Receipt))
    assert isinstance(need, Send)
    assert need.body == Receipt(status="need", payload=codec.digest(content(0)), have=b"\1")


def damaged(end: Upper, data: bytes) -> list[tuple[str, str, str]]:
    """Has d0 send an answer whose last piece is wrong, under a checksum that is right; gives what it is told for it."""
    say(end, "d0", manifest(data))
    wrong = [*pieces(data)[:-1], msgspec.structs.replace(pieces(bytes(SIZE))[-1], payload=codec.digest(data))]
    return [told(say(end, "d0", piece)) for piece in wrong][-1]


def whole(end: Upper) -> None:
    """Sends all of it."""
    for piece in pieces(content(1)):
        say(end, "d0", piece)


def anew(end: Upper) -> None:
    """Announces another answer, which comes in pieces."""
    say(end, "d0", manifest(content(2)))


def anew_at_once(end: Upper) -> None:
    """Sends another answer inside its manifest."""
    say(end, "d0", msgspec.structs.replace(manifest(content(2)), inline=content(2)))


def too_large(end: Upper) -> None:
    """Says that it is larger than any can be."""
    say(end, "d0", manifest(content(1), size=Heap.limit + 1))


def damaged_for_good(end: Upper) -> None:
    """Sends it damaged until nobody wants it any more."""
    assert damaged(end, content(1)) == [("d0", "bad", "digest")]


def retracted(end: Upper) -> None:
    """Takes the device out."""
    end.retract(Batch(0), "k", "d0", lambda sha256: None)


def retracted_while_away(end: Upper) -> None:
    """Takes the device out when nobody can tell it so."""
    end.tell(Batch(0), "k", events.Away("d0"))
    retracted(end)


def over(end: Upper) -> None:
    """Forgets the round."""
    end.forget(Batch(0), "k")


@pytest.mark.parametrize(
    "ending", [whole, anew, anew_at_once, too_large, damaged_for_good, retracted, retracted_while_away, over]
)
def test_how_often_a_payload_came_damaged_is_forgotten_with_its_transfer(
    tmp_path: Path, ending: Callable[[Upper], None]
) -> None:
    end = home(tmp_path, 1)
    for _ in range(DAMAGED - 1):
        assert damaged(end, content(1)) == [("d0", "need", "")]
    assert len(end._transfers._spoilt) == 1
    ending(end)
    assert end._transfers._spoilt == {}
    assert parts(tmp_path) == (ending is anew)


def test_who_returns_to_an_answer_that_came_damaged_begins_to_count_anew(tmp_path: Path) -> None:
    end = home(tmp_path, 1)
    for number in (1, 2) * DAMAGED:
        assert damaged(end, content(number)) == [("d0", "need", "")]
    for _ in range(DAMAGED - 2):
        assert damaged(end, content(2)) == [("d0", "need", "")]
    assert damaged(end, content(2)) == [("d0", "bad", "digest")]


def test_two_members_with_the_same_bytes_are_not_in_each_others_way(tmp_path: Path) -> None:
    end = home(tmp_path, 2)
    data = content(5)
    say(end, "d0", manifest(data))
    say(end, "d1", manifest(data, size=SIZE - 1))  # a lie about another's answer changes nothing about it
    for piece in pieces(data)[:-1]:
        say(end, "d0", piece)
    assert told(say(end, "d0", pieces(data)[-1])) == [("d0", "ok", "")]
    assert told(say(end, "d1", pieces(data)[0])) == []
    assert told(say(end, "d1", manifest(data))) == [("d1", "need", "")]
    assert told([say(end, "d1", piece) for piece in pieces(data)][-1]) == [("d1", "ok", "")]


def test_a_round_that_is_over_leaves_no_file_open(tmp_path: Path) -> None:
    before = open_files()
    end = home(tmp_path, 5)
    for number in range(5):
        say(end, f"d{number}", manifest(content(number)))
    end.forget(Batch(1), "k")
    assert (open_files(), parts(tmp_path)) == (before, 0)


def test_what_earlier_lives_have_left_makes_room_the_oldest_first(tmp_path: Path) -> None:
    earlier = Spool(tmp_path, 4 * SIZE)
    names = [bytes([number]) * 32 for number in range(4)]
    for name in names:
        earlier.have(name, SIZE, PIECE)
        earlier.write(name, 0, bytes(PIECE))
    earlier.close()
    newest = (tmp_path / f"{names[3].hex()}.part").stat().st_mtime
    for age, name in enumerate(names):
        os.utime(tmp_path / f"{name.hex()}.part", (newest - 60 + age, newest - 60 + age))
    spool = Spool(tmp_path, 4 * SIZE + 2 * NOTES)
    assert spool.fits(b"n" * 32, 2 * SIZE)
    assert sorted(path.stem for path in tmp_path.glob("*.part")) == [name.hex() for name in names[2:]]
    assert not spool.fits(b"n" * 32, 4 * SIZE + 2 * NOTES + 1)


@pytest.mark.parametrize("size", [SIZE, 3 * SIZE])
def test_what_a_transfer_has_itself_is_not_taken_from_it(tmp_path: Path, size: int) -> None:
    spool = Spool(tmp_path, 3 * SIZE)
    spool.have(b"a" * 32, SIZE, PIECE)
    spool.write(b"a" * 32, 2, bytes(PIECE))
    spool.rest(b"a" * 32)
    assert spool.fits(b"a" * 32, size)
    assert 2 in spool.have(b"a" * 32, SIZE, PIECE)


def roomy(folder: Path, members: int) -> Upper:
    """Gives a home whose answers may be large."""
    end = home(folder, members)
    sums = end.rounds["k"].sums
    assert isinstance(sums, Heap)
    sums.limit = 1 << 30
    return end


def sized(number: int, size: int, piece: int = chunks.CHUNK) -> Answer:
    """Gives the manifest of an answer of so many bytes."""
    return msgspec.structs.replace(manifest(content(number)), size=size, chunk=piece)


def test_no_more_is_asked_for_at_once_than_the_broker_holds(tmp_path: Path) -> None:
    end = roomy(tmp_path, 4)
    assert told(say(end, "d0", sized(0, 2 * AHEAD))) == [("d0", "need", "")]  # when nothing else is
    assert told(say(end, "d1", sized(1, AHEAD // 2))) == []
    for index in range(2 * AHEAD // chunks.CHUNK - AHEAD // 2 // chunks.CHUNK - 1):
        piece = Chunk(payload=codec.digest(content(0)), index=index, data=bytes(chunks.CHUNK))
        turns = told(say(end, "d0", piece))
        assert turns == ([("d1", "need", "")] if index == 3 * AHEAD // 2 // chunks.CHUNK - 1 else [])
    assert told(say(end, "d0", sized(0, 2 * AHEAD))) == [("d0", "need", "")]  # it has its place


def test_small_pieces_count_as_the_messages_that_they_are(tmp_path: Path) -> None:
    end = roomy(tmp_path, 2)
    assert told(say(end, "d0", sized(0, AHEAD // 16, 1_024))) == [("d0", "need", "")]
    assert told(say(end, "d1", sized(1, 1_024, 1_024))) == []


def test_who_is_slow_holds_nobody_up_for_long(tmp_path: Path) -> None:
    end = roomy(tmp_path, 2)
    say(end, "d0", sized(0, AHEAD))
    assert told(say(end, "d1", sized(1, AHEAD), now=1)) == []
    assert end.wake is not None
    assert end.wake <= HURRY
    batch = Batch(HURRY)
    end.tick(batch)
    assert told(batch) == [("d1", "need", "")]
    again = Batch(HURRY)
    end.tick(again)
    assert told(again) == []
