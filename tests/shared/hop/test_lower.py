"""The lower end of a hop: Asks taken, blobs pulled, answers offered."""

import random
from pathlib import Path

import msgspec
import pytest

from folkmoot.hop import member
from folkmoot.hop.batch import OBJECT, Batch
from folkmoot.hop.lower import CATCH_UP, DONE, HEARTBEAT, HEARTBEAT_FIRST, Lower
from folkmoot.store.ledger import INSIDE, Ledger
from folkmoot.wire import codec
from folkmoot.wire.chunks import CHUNK, LARGE, PART, count
from folkmoot.wire.messages import Answer, Chunk, Get, Hello, Invited, Receipt, Refuse, Request, Started, Status
from tests.kit.ends import INLINE, TREE, bodies, down, lower, message, reasons, sent
from tests.kit.questions import DEED, furnished, question


def test_an_ask_whose_blobs_are_here_is_begun_at_once(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    batch = down(end, question(), ask=DEED)
    assert bodies(batch) == [Started()]
    assert [item.id for item in end.wanted] == [DEED]
    assert end.members[DEED].deadline == 60_000


def test_the_journal_does_not_hold_the_weights(tmp_path: Path) -> None:
    batch = down(furnished(tmp_path), question(), ask=DEED)
    assert len(codec.dump(batch.journal[0][1])) < 600


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
    batch, data = Batch(5), bytes(50_000)
    end.worked(batch, end.members[DEED], data)
    end._answers._outbox.commit([batch], {})  # type: ignore[attr-defined]
    payload = codec.digest(data)
    batch = down(end, Receipt(status="need", payload=payload, have=b"\x05"), ask=DEED)
    assert [send.body.index for send in sent(batch, Chunk) if isinstance(send.body, Chunk)] == [1, 3]
    assert down(end, Receipt(status="ok", payload=payload), ask=DEED).forgets == [f"m/{DEED.hex()}"]


def offering(folder: Path, data: bytes) -> Lower:
    """Gives a lower end whose answer is stored and offered."""
    end = furnished(folder)
    down(end, question(), ask=DEED)
    batch = Batch(5)
    end.worked(batch, end.members[DEED], data)
    end._answers._outbox.commit([batch], {})  # type: ignore[attr-defined]
    return end


@pytest.mark.parametrize("size", [CHUNK, CHUNK + 1, 50_000, INSIDE + 50_000])
def test_pieces_wait_without_their_content_and_have_it_when_they_leave(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    end = offering(tmp_path, data)
    sends = sent(down(end, Receipt(status="need", payload=codec.digest(data)), ask=DEED), Chunk)
    assert sum(send.weight for send in sends) == len(sends) * OBJECT
    whole = [send.whole for send in sends]
    assert b"".join(piece.data for piece in whole if isinstance(piece, Chunk)) == data
    assert all(isinstance(piece, Chunk) for piece in whole)
    assert [piece.index for piece in whole if isinstance(piece, Chunk)] == list(range(count(size, CHUNK)))


def test_pieces_grow_with_what_a_connection_carries_and_those_of_one_answer_stay_as_they_are(tmp_path: Path) -> None:
    data = bytes(LARGE * PART)
    end = offering(tmp_path, data)
    need, ok = (Receipt(status=status, payload=codec.digest(data)) for status in ("need", "ok"))  # type: ignore[arg-type]
    end._answers.carried(LARGE * PART)
    assert len(sent(down(end, need, ask=DEED), Chunk)) == count(len(data), CHUNK)
    down(end, ok, ask=DEED)
    down(end, question(round=2), ask=b"2" * 16)
    batch, data = Batch(6), bytes(INLINE + CHUNK)
    end.worked(batch, end.members[b"2" * 16], data)
    assert [answer.chunk for answer in bodies(batch) if isinstance(answer, Answer)] == [LARGE]
    end.disconnected()
    assert end._answers.chunk == LARGE  # the next connection may carry as much
    end.disconnected()
    assert end._answers.chunk == CHUNK  # it has not


def test_pieces_of_an_answer_that_is_gone_by_then_or_cannot_be_read_do_not_leave(tmp_path: Path) -> None:
    end, data = offering(tmp_path, bytes(50_000)), bytes(50_000)
    need = Receipt(status="need", payload=codec.digest(data))
    first, second, *_ = sent(down(end, need, ask=DEED), Chunk)
    done = down(end, Receipt(status="ok", payload=codec.digest(data)), ask=DEED)
    assert first.whole is not None
    end._answers._outbox.commit([done], {})  # type: ignore[attr-defined]
    assert first.whole is None
    end._answers._outbox.close()  # type: ignore[attr-defined]
    assert second.whole is None


def test_an_ask_with_fewer_leaves_that_comes_with_the_receipt_is_answered_anew_and_that_is_stored(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    ledger = end._answers._outbox
    assert isinstance(ledger, Ledger)
    both, one = (question(each=tuple(map(Invited, names))) for names in ("ab", "b"))
    first = down(end, both, ask=DEED)
    end.worked(first, end.members[DEED], b"both")
    ledger.commit([first], {})
    step = Batch(6)
    receipt = Receipt(status="ok", payload=codec.digest(b"both"))
    for body in (receipt, one):
        end.receive(step, TREE.topic("d1", type(body)), message("g1", "d1", body, DEED, 60_000))
    end.worked(step, end.members[DEED], b"one")
    ledger.commit([step], {})
    key = f"m/{DEED.hex()}"
    assert [ledger.payload(key, codec.digest(content)) for content in (b"both", b"one")] == [None, b"one"]
    again = lower(tmp_path, "d2")
    for _, history in ledger.histories():
        again.restore(history)  # type: ignore[arg-type]
    item = again.members[DEED]
    assert (item.state, item.payload, item.ask.each) == ("offering", codec.digest(b"one"), (Invited("b"),))


def test_an_answer_that_is_withdrawn_is_no_longer_kept(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    down(end, question(each=tuple(map(Invited, "ab"))), ask=DEED)
    end.worked(Batch(5), end.members[DEED], b"both")
    assert down(end, question(each=(Invited("b"),)), ask=DEED).drops == [(f"m/{DEED.hex()}", codec.digest(b"both"))]


def test_what_is_done_is_not_taken_again_when_the_run_has_gone_on_and_stops_nobody(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    both, one = (question(each=tuple(map(Invited, names))) for names in ("ab", "b"))
    down(end, both, ask=DEED)
    end.worked(Batch(5), end.members[DEED], b"both")
    down(end, Receipt(status="ok", payload=codec.digest(b"both")), ask=DEED)
    down(end, question(round=2), ask=b"2" * 16)
    assert not down(end, one, ask=DEED).journal
    assert [item.state for item in end.members.values()] == ["done", "working"]


def test_an_old_ask_with_fewer_leaves_does_not_stop_what_came_after_it(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    down(end, question(each=tuple(map(Invited, "ab"))), ask=DEED)
    end.worked(Batch(5), end.members[DEED], b"both")
    down(end, question(phase="evaluate"), ask=b"2" * 16)
    down(end, question(each=(Invited("b"),)), ask=DEED)
    assert [item.state for item in end.members.values()] == ["working", "working"]


def test_an_ask_of_an_older_round_does_not_stop_a_newer_one(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    down(end, question(round=2), ask=b"2" * 16)
    down(end, question(round=1), ask=DEED)
    assert end.members[b"2" * 16].state == "working"
    down(end, question(round=3), ask=b"3" * 16)
    assert [item.state for item in end.members.values()] == ["done", "done", "working"]


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


def test_what_is_new_of_a_node_is_repeated_as_soon_as_a_birth_is(tmp_path: Path) -> None:
    end = lower(tmp_path)
    end.connected(Batch(0), birth=7, session_present=False)
    for now in (300, 900, 2_100, 4_500):  # a gateway whose devices appear one after another
        end.hello = msgspec.structs.replace(end.hello, examples=now)
        end.announce(Batch(now))
    assert end.wake == 4_500 + HEARTBEAT_FIRST
    end.tick(Batch(end.wake))
    assert end.wake == 4_500 + 3 * HEARTBEAT_FIRST
    end.announce(Batch(9_000))
    assert end.wake == 9_000 + 4 * HEARTBEAT_FIRST


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


def test_an_ask_that_comes_again_when_all_is_over_leaves_nothing_behind(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    down(end, question(), ask=DEED)
    (item,) = end.members.values()
    end.worked(Batch(0), item, b"answer")
    down(end, Receipt(status="ok", payload=codec.digest(b"answer")), ask=DEED)
    batch = down(end, question(), ask=DEED)
    assert batch.empty
    assert not batch.sends


def test_what_is_forgotten_and_begun_anew_in_one_step_keeps_what_is_new(tmp_path: Path) -> None:
    end, batch = furnished(tmp_path), Batch(0)
    down(end, question(), ask=DEED)
    (item,) = end.members.values()
    end.tell(batch, item, member.Cancelled("upper"))
    end.tell(batch, item, member.Asked(DEED, item.ask, 60_000))
    end.worked(batch, item, b"answer")
    assert [type(event) for _, event in batch.rows] == [member.Asked, member.Worked]
    assert [keep.content for keep in batch.payloads] == [b"answer"]
    assert batch.forgets == [f"m/{DEED.hex()}"]


@pytest.mark.parametrize("size", [1 << 27, 1 << 28])
def test_an_ask_that_there_is_no_room_for_is_refused_before_a_byte_of_it_is_set_aside(tmp_path: Path, size: int) -> None:
    end = lower(tmp_path)
    end._spool.limit = 1 << 26
    batch = down(end, question(size=size), ask=DEED)
    (refusal,) = [body for body in bodies(batch) if isinstance(body, Refuse)]
    assert refusal.reason == "no_room"
    assert batch.forgets == ["m/" + DEED.hex()]
    assert not sent(batch, Get)
    assert not list((tmp_path / "lower-spool").iterdir())


def test_answers_that_nobody_has_receipted_leave_no_room_for_more_work_but_two_always_may_wait(tmp_path: Path) -> None:
    end = furnished(tmp_path)
    end._spool.limit = 30_000  # the program and two answers of this size
    for number in (1, 2, 3):
        deed = bytes([number]) * 16
        batch = down(end, question(run=f"run{number}"), ask=deed)
        if number < 3:
            assert end.members[deed].state == "working"
            end.worked(Batch(0), end.members[deed], bytes([number]) * 20_000)
    (refusal,) = [body for body in bodies(batch) if isinstance(body, Refuse)]
    assert refusal.reason == "no_room"
    down(end, Receipt(status="ok", payload=end.members[b"\1" * 16].payload), ask=b"\1" * 16)
    down(end, question(run="run3"), ask=b"\3" * 16)
    assert end.members[b"\3" * 16].state == "working"
