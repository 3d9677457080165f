"""Program and weights on their way down: pulled block by block, whatever the link, the broker and restarts do."""

from pathlib import Path

from folkmoot.hop.batch import Batch
from folkmoot.hop.fetch import PATIENCE
from folkmoot.hop.member import Asked
from folkmoot.store.spool import Spool
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Ask, Block, Get, Refuse, Request, Status
from tests.kit.ends import bodies, down, lower, reasons, sent
from tests.kit.questions import DEED, PROGRAM, WEIGHTS, question

LARGE = b"programs" * 50_000


def large() -> Ask:
    """Gives an Ask whose program is many windows of blocks."""
    return question(program=codec.digest(LARGE), program_size=len(LARGE))


def test_a_blob_that_is_missing_is_pulled_window_by_window_and_then_the_work_begins(tmp_path: Path) -> None:
    end = lower(tmp_path)
    end.limits(8_192)
    batch = down(end, question(), ask=DEED)
    asked = 0
    while not end.wanted:
        (get,) = [send.body for send in sent(batch, Get)]
        assert isinstance(get, Get)
        asked += 1
        for index in range(get.first, min(get.first + get.count, chunks.count(len(PROGRAM), get.chunk))):
            data = chunks.piece(PROGRAM, index, get.chunk)
            block = Block(blob=get.blob, index=index, size=len(PROGRAM), data=data)
            batch = down(end, block, ask=DEED)
    assert asked == 1
    assert [item.id for item in end.wanted] == [DEED]


def test_a_block_of_the_wrong_length_is_not_there(tmp_path: Path) -> None:
    end = lower(tmp_path)
    down(end, question(), ask=DEED)
    half = PROGRAM[:100]
    block = Block(blob=codec.digest(PROGRAM), index=0, size=len(PROGRAM), data=half)
    assert reasons(down(end, block, ask=DEED)) == ["malformed"]
    assert end.wake is not None
    batch = Batch(end.wake)
    end.tick(batch)
    (again,) = [send.body for send in sent(batch, Get)]
    assert isinstance(again, Get)
    assert again.first == 0


def test_blocks_that_do_not_come_are_asked_for_again(tmp_path: Path) -> None:
    end = lower(tmp_path)
    down(end, question(), ask=DEED)
    assert end.wake is not None
    batch = Batch(end.wake)
    end.tick(batch)
    assert sent(batch, Get)


def blocks(get: Get) -> list[Block]:
    """Gives the blocks of the program that a request is for."""
    indices = range(get.first, min(get.first + get.count, chunks.count(len(LARGE), get.chunk)))
    pieces = [(index, chunks.piece(LARGE, index, get.chunk)) for index in indices]
    return [Block(blob=get.blob, index=index, size=len(LARGE), data=data) for index, data in pieces]


def gets(batch: Batch) -> list[Get]:
    """Gives the requests for blocks."""
    return [send.body for send in sent(batch, Get) if isinstance(send.body, Get) and send.body.blob]


def test_without_a_connection_nothing_is_asked_for_and_after_it_first_what_the_broker_has_is_awaited(tmp_path: Path) -> None:
    end = lower(tmp_path)
    batch = down(end, large(), ask=DEED)
    down(end, blocks(gets(batch)[0])[0], ask=DEED)
    end.disconnected()
    end.tick(batch := Batch(PATIENCE + 1))
    assert gets(batch) == []
    batch = Batch(30_000)
    end.connected(batch, birth=2, session_present=True)
    assert gets(batch) == []
    end.tick(batch := Batch(30_000 + PATIENCE - 1))
    assert gets(batch) == []
    end.tick(batch := Batch(30_000 + PATIENCE))
    assert [get.first for get in gets(batch)] == [1]


def test_what_a_broker_without_a_session_has_lost_is_asked_for_when_the_upper_end_is_there_or_after_a_while(
    tmp_path: Path,
) -> None:
    for status in (True, False):
        end = lower(tmp_path / str(status))
        down(end, large(), ask=DEED)
        end.disconnected()
        end.connected(batch := Batch(3_000), birth=2, session_present=False)
        assert gets(batch) == []
        if status:
            assert [get.first for get in gets(down(end, Status(state="up", birth=2), now=3_010))] == [0]
        else:
            end.tick(batch := Batch(3_000 + PATIENCE))
            assert [get.first for get in gets(batch)] == [0]


def test_after_a_restart_what_was_asked_for_before_is_taken_and_only_the_rest_asked_for(tmp_path: Path) -> None:
    before = lower(tmp_path)
    batch = down(before, large(), ask=DEED)
    (get,) = gets(batch)
    on_their_way = blocks(get)
    down(before, on_their_way[0], ask=DEED)
    end = lower(tmp_path / "after")
    end._spool = Spool(tmp_path / "lower-spool")
    end.restore([(0, event) for _, event in batch.journal if isinstance(event, Asked)])
    end.connected(batch := Batch(100), birth=2, session_present=True)
    assert bodies(batch)[1:] == [Get()]  # behind the status
    for block in on_their_way[1:]:
        assert not sent(down(end, block, ask=DEED, now=200), Get)
    (get,) = gets(down(end, large(), ask=DEED, now=300))
    assert get.first == len(on_their_way)
    assert not end.wanted


def test_work_whose_blobs_are_all_here_waits_for_its_ask_after_a_restart(tmp_path: Path) -> None:
    batch = down(lower(tmp_path), question(), ask=DEED)
    (get,) = gets(batch)
    end = lower(tmp_path / "after")
    end._library.put(WEIGHTS)
    end.restore([(0, event) for _, event in batch.journal if isinstance(event, Asked)])
    end.connected(Batch(100), birth=2, session_present=True)
    data = PROGRAM
    down(end, Block(blob=get.blob, index=0, size=len(data), data=data), ask=DEED, now=200)
    assert not end.wanted
    down(end, question(), ask=DEED, now=300)
    assert [item.id for item in end.wanted] == [DEED]


def test_blocks_are_asked_for_again_at_once_when_the_upper_end_is_back(tmp_path: Path) -> None:
    end = lower(tmp_path)
    down(end, question(), ask=DEED)
    assert not sent(down(end, Status(state="up", birth=1)), Get)  # it was never away
    assert not sent(down(end, Status(state="down", birth=1)), Get)
    assert [send.ask for send in sent(down(end, Status(state="up", birth=2)), Get)] == [DEED]


def test_after_a_broker_has_forgotten_us_blocks_are_asked_for_when_the_upper_end_has_come_to_it_too(tmp_path: Path) -> None:
    end = lower(tmp_path)
    down(end, question(), ask=DEED)
    batch = Batch(1_000)
    end.connected(batch, birth=2, session_present=False)
    assert [type(send.body) for send in batch.sends] == [Status, Get]
    assert batch.sends[1].body == Get()  # for the Ask; who would send blocks may not have subscribed again
    assert [send.ask for send in sent(down(end, Status(state="up", birth=2)), Get)] == [DEED]


def test_a_blob_that_nobody_above_has_refuses_the_ask(tmp_path: Path) -> None:
    end = lower(tmp_path)
    down(end, question(), ask=DEED)
    batch = down(end, Block(blob=codec.digest(PROGRAM), index=0, size=0), ask=DEED)
    assert bodies(batch) == [Refuse(reason="no_blob", detail="the upper end does not have it")]


def test_a_block_that_is_lacking_in_an_earlier_round_ends_nothing_in_this_one(tmp_path: Path) -> None:
    end = lower(tmp_path)
    down(end, question(), ask=DEED)
    lacking = Block(blob=codec.digest(PROGRAM), index=0, size=0)
    down(end, lacking, ask=b"0" * 16)
    assert end.members[DEED].state == "working"
    down(end, lacking, ask=DEED)
    assert end.members[DEED].fate == "refused:no_blob"


def test_blocks_that_come_when_nobody_waits_any_more_are_let_go(tmp_path: Path) -> None:
    end = lower(tmp_path)
    end.limits(8_192)
    (get,) = [send.body for send in sent(down(end, question(), ask=DEED), Get)]
    assert isinstance(get, Get)
    down(end, Request(what="cancel"), ask=DEED)
    for index in range(get.count):
        data = chunks.piece(PROGRAM, index, get.chunk)
        block = Block(blob=codec.digest(PROGRAM), index=index, size=len(PROGRAM), data=data)
        assert not down(end, block, ask=DEED).sends
