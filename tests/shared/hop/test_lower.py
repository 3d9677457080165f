"""The lower end of a hop: Asks taken, blobs pulled, answers offered."""

from pathlib import Path

import msgspec

from folkmoot.hop.batch import Batch
from folkmoot.hop.lower import CATCH_UP, DONE, HEARTBEAT, HEARTBEAT_FIRST, Lower
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Answer, Ask, Block, Chunk, Get, Hello, Receipt, Refuse, Request, Started, Status
from tests.kit.asks import ask
from tests.kit.ends import INLINE, bodies, down, lower, reasons, sent

PROGRAM, WEIGHTS = b"program" * 2_000, b"weights" * 100
DEED = b"1" * 16


def question(**fields: object) -> Ask:
    """Gives an Ask whose weights travel inside it."""
    given = {
        "program": codec.digest(PROGRAM),
        "weights": codec.digest(WEIGHTS),
        "program_size": len(PROGRAM),
        "size": len(WEIGHTS),
        "inline": WEIGHTS,
    }
    return ask(**{**given, **fields})


def furnished(folder: Path) -> Lower:
    """Gives a lower end that has the program already."""
    end = lower(folder)
    end._library.put(PROGRAM)
    return end


def test_an_ask_whose_blobs_are_here_is_begun_at_once(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    batch = down(end, question(), ask=DEED)
    assert bodies(batch) == [Started()]
    assert [item.id for item in end.wanted] == [DEED]
    assert end.members[DEED].deadline == 60_000


def test_the_journal_does_not_hold_the_weights(tmp_path: Path) -> None:
    batch = down(furnished(tmp_path), question(), ask=DEED)
    assert len(codec.dump(batch.journal[0][1])) < 600


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
            block = Block(blob=get.blob, index=index, size=len(PROGRAM), crc=chunks.crc(data), data=data)
            batch = down(end, block, ask=DEED)
    assert asked == 1
    assert [item.id for item in end.wanted] == [DEED]


def test_blocks_that_do_not_come_are_asked_for_again(tmp_path: Path) -> None:
    end = lower(tmp_path)
    down(end, question(), ask=DEED)
    assert end.wake is not None
    batch = Batch(end.wake)
    end.tick(batch)
    assert sent(batch, Get)


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


def test_weights_that_are_not_what_the_ask_names_are_refused(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    batch = down(end, question(inline=b"others"), ask=DEED)
    assert reasons(batch) == ["digest"]
    assert not end.members


def test_a_message_for_somebody_else_changes_nothing(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    assert reasons(down(end, question(), ask=DEED, dst="d2")) == ["wrong_sender"]
    assert not end.members


def test_a_newer_ask_of_the_same_run_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    down(end, question(), ask=DEED)
    end.wanted.clear()
    down(end, question(round=2), ask=b"2" * 16)
    assert [item.id for item in end.unwanted] == [DEED]
    assert [item.id for item in end.wanted] == [b"2" * 16]


def test_an_answer_is_offered_with_its_bytes_where_they_fit(tmp_path: Path) -> None:
    for number, size in enumerate((10, INLINE + 1)):
        end = furnished(tmp_path / str(number))
        down(end, question(), ask=DEED)
        batch, data = Batch(5), bytes(size)
        end.worked(batch, end.members[DEED], data)
        (answer,) = bodies(batch)
        assert isinstance(answer, Answer)
        assert (answer.payload, answer.size) == (codec.digest(data), size)
        assert answer.inline == (data if size <= INLINE else None)
        assert batch.firm
        assert batch.keeps[0].content == data


def test_only_the_missing_pieces_are_sent(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    down(end, question(), ask=DEED)
    batch, data = Batch(5), bytes(100_000)
    end.worked(batch, end.members[DEED], data)
    end._outbox.commit([batch], {})  # type: ignore[attr-defined]
    payload = codec.digest(data)
    batch = down(end, Receipt(status="need", payload=payload, have=b"\x05"), ask=DEED)
    assert [send.body.index for send in sent(batch, Chunk) if isinstance(send.body, Chunk)] == [1, 3]
    assert down(end, Receipt(status="ok", payload=payload), ask=DEED).forgets == [f"m/{DEED.hex()}"]


def test_a_receipt_about_another_payload_is_not_ours(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    down(end, question(), ask=DEED)
    end.worked(Batch(5), end.members[DEED], b"sums")
    assert not down(end, Receipt(status="ok", payload=b"x" * 32), ask=DEED).forgets


def test_an_ask_that_may_have_waited_in_the_broker_is_asked_for_again_before_it_is_begun(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    end.connected(Batch(0), birth=2, session_present=True)
    assert bodies(down(end, question(), ask=DEED, now=10)) == [Get()]
    assert not end.wanted
    assert bodies(down(end, question(), ask=DEED, now=20)) == [Started()]
    assert bodies(down(end, question(round=2), ask=b"2" * 16, now=CATCH_UP + 1))[0] == Started()


def test_a_node_says_that_it_is_up_again_and_again_but_seldom(tmp_path: Path) -> None:
    end = lower(tmp_path)
    end.connected(Batch(0), birth=7, session_present=False)
    times = []
    for _ in range(7):
        assert end.wake is not None
        batch = Batch(end.wake)
        end.tick(batch)
        times.append(batch.now)
        assert bodies(batch) == [Status(state="up", birth=7, hello=codec.digest(codec.dump(Hello())))]
    assert times[0] == HEARTBEAT_FIRST
    assert times[-1] - times[-2] == HEARTBEAT
    end.disconnected()
    assert end.wake is None


def test_a_hello_is_given_to_whoever_wants_it(tmp_path: Path) -> None:
    end = lower(tmp_path)
    end.hello = msgspec.structs.replace(end.hello, data="toy", examples=3)
    assert bodies(down(end, Request(what="hello"))) == [end.hello]


def test_what_is_done_is_not_remembered_for_ever(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    for number in range(DONE + 20):
        deed = number.to_bytes(16, "big")
        down(end, question(run=f"run{number}"), ask=deed)
        down(end, Request(what="cancel"), ask=deed)
    assert len(end.members) <= DONE
