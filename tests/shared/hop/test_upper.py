"""The upper end of a hop: the roster, the open rounds, the answers on their way up."""

from pathlib import Path

import pytest

from folkmoot.hop import events
from folkmoot.hop.batch import Batch, Keep
from folkmoot.hop.belated import Welcome
from folkmoot.hop.delivery import BURST
from folkmoot.hop.ids import ask_id
from folkmoot.hop.ports import Late
from folkmoot.hop.upper import DAMAGED, Upper
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Answer, Ask, Block, Chunk, Get, Hello, Receipt, Refuse, Request, Started, Status
from tests.kit.asks import ask
from tests.kit.ends import INLINE, TREE, Heap, message, reasons, sent, up, upper

PROGRAM, WEIGHTS = b"program" * 1_000, b"weights" * 100
BLOBS = {codec.digest(PROGRAM): PROGRAM, codec.digest(WEIGHTS): WEIGHTS}
DEED = {name: ask_id("k", name) for name in ("d1", "d2")}
HELLO = Hello(data="toy", examples=3)
UP = Status(state="up", birth=1, hello=codec.digest(codec.dump(HELLO)))


def manifest(data: bytes, *, inline: bool = True, **fields: object) -> Answer:
    """Gives the manifest of an answer."""
    given = {"base": 0, "weights": codec.digest(WEIGHTS), "program": codec.digest(PROGRAM), "size": len(data), "chunk": 1_024}
    payload = codec.digest(data)
    return Answer(**{**given, "payload": payload, "inline": data if inline else None, **fields})  # type: ignore[arg-type]


def opened(folder: Path) -> Upper:
    """Gives an upper end with a round open for d1 and d2."""
    made = upper(folder)
    members = (events.Invitation("d1"), events.Invitation("d2"))
    event = events.Opened("k", ask(weights=codec.digest(WEIGHTS)), events.Terms(deadline=60_000), members)
    made.open(Batch(0), event, Heap(), BLOBS)
    return made


@pytest.fixture
def end(tmp_path: Path) -> Upper:
    """Gives an upper end with a round open for d1 and d2."""
    return opened(tmp_path)


def heap(end: Upper) -> dict[str, bytes]:
    """Gives what has been added up."""
    sums = end.rounds["k"].sums
    assert isinstance(sums, Heap)
    return sums.added


def test_an_ask_carries_the_weights_where_they_fit(tmp_path: Path) -> None:
    for weights, fits in ((WEIGHTS, True), (bytes(INLINE + 1), False)):
        made, batch = upper(tmp_path), Batch(0)
        question = ask(weights=codec.digest(weights))
        event = events.Opened("k", question, events.Terms(deadline=60_000), (events.Invitation("d1"),))
        made.open(batch, event, Heap(), {codec.digest(weights): weights})
        (send,) = sent(batch, Ask)
        assert isinstance(send.body, Ask)
        assert send.body.inline == (weights if fits else None)
        assert (send.ask, send.deadline) == (DEED["d1"], 60_000)


def test_an_inline_answer_is_kept_added_and_told_ok(end: Upper) -> None:
    batch = up(end, manifest(b"sums"), ask=DEED["d1"])
    assert batch.keeps == [Keep("r/k", codec.digest(b"sums"), b"sums")]
    assert batch.firm
    assert [send.body for send in batch.sends] == [Receipt(status="ok", payload=codec.digest(b"sums"))]
    assert heap(end) == {"d1": b"sums"}


def test_an_answer_that_is_rejected_is_told_why_and_changes_nothing(end: Upper) -> None:
    batch = up(end, manifest(b"NaN"), ask=DEED["d1"])
    assert [send.body for send in batch.sends] == [Receipt(status="bad", reason="non_finite", payload=codec.digest(b"NaN"))]
    assert not batch.keeps
    assert heap(end) == {}


def test_a_large_answer_comes_in_pieces_and_only_what_is_missing_is_asked_for(end: Upper) -> None:
    data = bytes(range(256)) * 20
    answer = manifest(data, inline=False)
    (need,) = sent(up(end, answer, ask=DEED["d1"]), Receipt)
    assert need.body == Receipt(status="need", payload=answer.payload, have=b"\0")
    pieces = cut(answer, data)
    for piece in (pieces[3], pieces[0], pieces[3]):
        assert not up(end, piece, ask=DEED["d1"]).sends
    (again,) = sent(up(end, answer, ask=DEED["d1"]), Receipt)
    assert again.body == Receipt(status="need", payload=answer.payload, have=b"\x09")
    for piece in (pieces[1], pieces[2]):
        up(end, piece, ask=DEED["d1"])
    assert sent(up(end, pieces[4], ask=DEED["d1"]), Receipt)[0].body == Receipt(status="ok", payload=answer.payload)
    assert heap(end) == {"d1": data}


def cut(answer: Answer, data: bytes) -> list[Chunk]:
    """Gives the pieces of an answer."""
    parts = [chunks.piece(data, index, answer.chunk) for index in range(chunks.count(len(data), answer.chunk))]
    return [Chunk(payload=answer.payload, index=i, data=part) for i, part in enumerate(parts)]


def test_pieces_that_come_before_their_manifest_after_a_restart_are_not_lost(end: Upper, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20
    answer = manifest(data, inline=False)
    pieces = cut(answer, data)
    up(end, answer, ask=DEED["d1"])
    up(end, pieces[0], ask=DEED["d1"])
    second = opened(tmp_path)
    for piece in pieces[1:]:
        assert not up(second, piece, ask=DEED["d1"]).sends
    assert sent(up(second, answer, ask=DEED["d1"]), Receipt)[0].body == Receipt(status="ok", payload=answer.payload)
    assert heap(second) == {"d1": data}
    assert not list((tmp_path / "spool").iterdir())


def test_pieces_of_a_transfer_that_is_over_or_of_nobody_change_nothing(end: Upper, tmp_path: Path) -> None:
    data = bytes(2_000)
    answer = manifest(data, inline=False)
    pieces = cut(answer, data)
    assert not up(end, pieces[0], ask=DEED["d1"]).sends
    for body in (answer, *pieces, pieces[0]):
        batch = up(end, body, ask=DEED["d1"])
    assert (batch.sends, batch.faults) == ([], [])
    assert not list((tmp_path / "spool").iterdir())


def test_what_two_members_call_by_the_same_digest_does_not_mix(end: Upper) -> None:
    data = bytes(2_000)
    answer = manifest(data, inline=False)
    for name in ("d1", "d2"):
        up(end, answer, ask=DEED[name], src=name, member=name)
    for piece in cut(answer, data):
        up(end, piece, ask=DEED["d1"])
    for piece in cut(answer, data):
        up(end, piece, ask=DEED["d2"], src="d2", member="d2")
    assert heap(end) == {"d1": data, "d2": data}


def test_a_payload_that_is_not_what_its_manifest_names_is_asked_for_again_but_not_for_ever(end: Upper) -> None:
    lie = manifest(b"sums", payload=codec.digest(b"others"))
    told = [sent(up(end, lie, ask=DEED["d1"]), Receipt)[0].body for _ in range(DAMAGED)]
    assert [body.status for body in told if isinstance(body, Receipt)] == ["need"] * (DAMAGED - 1) + ["bad"]
    assert end.rounds["k"].round.seats["d1"].fate == "rejected:digest"
    assert heap(end) == {}


def test_an_answer_that_says_it_is_huge_is_rejected_before_a_byte_is_stored(end: Upper, tmp_path: Path) -> None:
    batch = up(end, manifest(b"", inline=False, size=1 << 40), ask=DEED["d1"])
    assert reasons(batch) == ["oversized"]
    assert not list((tmp_path / "spool").iterdir())


@pytest.mark.parametrize("body", [Started(), Refuse(reason="busy"), manifest(b"sums"), Get()])
def test_nobody_speaks_for_another(end: Upper, body: Started | Refuse | Answer | Get) -> None:
    for batch in (up(end, body, ask=DEED["d1"], src="d2"), up(end, body, ask=DEED["d1"], src="d2", member="d2")):
        assert reasons(batch) == ["wrong_sender"]
        assert not batch.sends
        assert not batch.journal


def test_a_message_at_the_wrong_topic_changes_nothing(end: Upper) -> None:
    batch = Batch(0)
    end.receive(batch, TREE.topic("d1", Get), message("d1", "g1", manifest(b"sums"), DEED["d1"]))
    end.receive(batch, "fl/v1/h/other/d1/up/man", message("d1", "g1", manifest(b"sums"), DEED["d1"]))
    end.receive(batch, TREE.topic("d1", Answer), b"\xff\xff")
    end.receive(batch, TREE.topic("d1", Answer), codec.check(b"\xff\x17\x44" + bytes(4)))
    assert reasons(batch) == ["wrong_sender", "topic", "crc", "malformed"]
    assert heap(end) == {}


def test_what_is_about_a_round_that_is_over_is_answered_so(end: Upper) -> None:
    stranger = bytes(16)
    assert sent(up(end, manifest(b"sums"), ask=stranger), Receipt)[0].body == Receipt(
        status="late", payload=codec.digest(b"sums")
    )
    assert sent(up(end, Started(), ask=stranger), Request)[0].body == Request(what="cancel", reason="closed")
    assert sent(up(end, Get(), ask=stranger), Request)[0].body == Request(what="cancel", reason="closed")
    assert not up(end, Refuse(reason="busy"), ask=stranger).sends


def test_blocks_are_cut_as_they_are_asked_for_and_not_without_end(end: Upper) -> None:
    want = Get(blob=codec.digest(PROGRAM), chunk=1_024, first=2, count=3)
    blocks = [send.body for send in sent(up(end, want, ask=DEED["d1"]), Block)]
    assert [(one.index, one.size) for one in blocks if isinstance(one, Block)] == [(2, 7_000), (3, 7_000), (4, 7_000)]
    assert all(one.data == chunks.piece(PROGRAM, one.index, 1_024) for one in blocks if isinstance(one, Block))
    assert reasons(up(end, Get(blob=codec.digest(PROGRAM), chunk=1 << 20, count=256), ask=DEED["d1"])) == ["oversized"]
    assert BURST // 1_024 >= 256


def test_a_blob_that_is_not_here_is_said_to_be_missing(end: Upper) -> None:
    (send,) = sent(up(end, Get(blob=b"x" * 32, count=1), ask=DEED["d1"]), Block)
    assert isinstance(send.body, Block)
    assert send.body.size == 0


def test_a_round_of_members_that_stand_for_others_is_opened_firmly(tmp_path: Path) -> None:
    for devices, firm in ((None, False), ((), True)):
        made, batch = upper(tmp_path), Batch(0)
        up(made, Hello(devices=devices))
        made.open(batch, events.Opened("k", ask(), events.Terms(deadline=60_000), (events.Invitation("d1"),)), Heap(), BLOBS)
        assert batch.firm == firm


def test_half_an_answer_goes_with_its_round(end: Upper) -> None:
    data = bytes(5_000)
    up(end, manifest(data, inline=False), ask=DEED["d1"])
    piece = chunks.piece(data, 0, 1_024)
    up(end, Chunk(payload=codec.digest(data), index=0, data=piece), ask=DEED["d1"])
    batch = Batch(60_000)
    end.tick(batch)
    end.forget(batch, "k")
    assert next(end._spool.have(codec.digest(data), 5_000, 1_024).missing()) == 0


def test_a_will_marks_away_and_a_birth_brings_the_ask_again(end: Upper) -> None:
    up(end, UP)
    up(end, Status(state="down", birth=1))
    assert end.rounds["k"].round.seats["d1"].state == "away"
    assert sent(up(end, Status(state="up", birth=2, hello=b"h" * 32)), Ask)


def test_a_late_will_of_an_older_connection_is_ignored(end: Upper) -> None:
    up(end, Status(state="up", birth=5, hello=b"h" * 32))
    up(end, Status(state="down", birth=4))
    assert end.rounds["k"].round.seats["d1"].state == "asked"


def test_an_answer_that_is_taken_out_is_no_longer_kept(end: Upper) -> None:
    up(end, manifest(b"sums"), ask=DEED["d1"])
    batch = Batch(5)
    assert end.retract(batch, "k", "d1", {codec.digest(b"sums"): b"sums"}.get)
    assert batch.drops == [("r/k", codec.digest(b"sums"))]
    assert batch.journal == [("r/k", events.Retracted("d1"))]
    assert [send.body for send in sent(batch, Request)] == [Request(what="cancel", reason="retracted")]
    assert heap(end) == {}
    assert sent(up(end, manifest(b"sums"), ask=DEED["d1"]), Receipt)[0].body == Receipt(
        status="bad", reason="retracted", payload=codec.digest(b"sums")
    )
    again = Batch(6)
    assert end.retract(again, "k", "d1", lambda sha256: None)
    assert again.empty


def test_an_answer_that_came_in_the_same_step_can_be_taken_out(end: Upper) -> None:
    batch = up(end, manifest(b"sums"), ask=DEED["d1"])
    assert end.retract(batch, "k", "d1", lambda sha256: None)
    assert not batch.payloads
    assert heap(end) == {}


def test_an_answer_that_is_not_at_hand_stays_where_it_is(end: Upper) -> None:
    up(end, manifest(b"sums"), ask=DEED["d1"])
    batch = Batch(5)
    assert not end.retract(batch, "k", "d1", lambda sha256: None)
    assert batch.empty
    assert heap(end) == {"d1": b"sums"}


def test_what_has_come_of_an_answer_goes_when_its_device_is_taken_out(end: Upper, tmp_path: Path) -> None:
    up(end, manifest(bytes(5_000), inline=False), ask=DEED["d1"])
    assert list((tmp_path / "spool").iterdir())
    end.retract(Batch(5), "k", "d1", lambda sha256: None)
    assert not list((tmp_path / "spool").iterdir())


def test_a_round_is_rebuilt_without_what_was_taken_out(end: Upper, tmp_path: Path) -> None:
    history = [(0, end.rounds["k"].round.opened)]
    kept = {codec.digest(data): data for data in (b"one", b"two")}
    for batch in (up(end, manifest(b"one"), ask=DEED["d1"]), Batch(5)):
        if not batch.journal:
            end.retract(batch, "k", "d1", kept.get)
            del kept[batch.drops[0][1]]
        history += [(batch.now, event) for _, event in batch.journal]  # type: ignore[misc]
    again = upper(tmp_path / "again")
    again.restore("k", history, Heap(), BLOBS, kept.get)
    assert heap(again) == {}
    assert again.rounds["k"].round.seats == end.rounds["k"].round.seats


def test_a_closed_round_that_is_kept_is_not_journalled_any_more(end: Upper) -> None:
    end.tell(Batch(5), "k", events.Stopped("upper"))
    batch = up(end, manifest(b"sums"), ask=DEED["d1"])
    assert [send.body for send in batch.sends] == [Receipt(status="late", payload=codec.digest(b"sums"))]
    assert batch.empty


OLD = b"o" * 16  # an Ask of a round that is over


def told(batch: Batch) -> list[Receipt]:
    """Gives the receipts of a batch."""
    return [send.body for send in sent(batch, Receipt) if isinstance(send.body, Receipt)]


def welcome(end: Upper, word: str = "") -> None:
    """Says what belated answers are worth: `word`, or that they count in the round that is open."""
    late = Late(0, codec.digest(WEIGHTS), 512)
    end.belated.standing = lambda member, ask, answer: word or Welcome("k", frozenset({"d1"}), late)  # type: ignore[return-value]


def test_an_answer_to_an_ask_that_is_over_is_late_unless_somebody_says_otherwise(end: Upper) -> None:
    assert told(up(end, manifest(b"answer"), ask=OLD))[0].status == "late"
    for word, receipts in (("late", ["late"]), ("dup", ["dup"]), ("wait", [])):
        welcome(end, word)
        assert [receipt.status for receipt in told(up(end, manifest(b"answer"), ask=OLD))] == receipts
    assert heap(end) == {}


def test_a_belated_answer_is_stored_and_counted_in_the_open_round_before_it_is_told_ok(end: Upper) -> None:
    welcome(end)
    batch = up(end, manifest(b"answer", round=3, local=1), ask=OLD)
    event = events.Belated(
        member="d1",
        ask=OLD,
        round=3,
        local=1,
        base=0,
        weights=codec.digest(WEIGHTS),
        factor=512,
        payload=codec.digest(b"answer"),
        leaves=("d1",),
    )
    assert batch.firm
    assert batch.journal == [("r/k", event)]
    assert batch.keeps == [Keep("r/k", codec.digest(b"answer"), b"answer")]
    assert told(batch)[0].status == "ok"
    assert heap(end) == {"d1": b"answer"}
    assert end.rounds["k"].round.seats["d1"].state == "asked"


def test_a_belated_answer_comes_in_pieces_over_a_restart_and_a_pause_between_rounds(end: Upper) -> None:
    welcome(end)
    data = bytes(range(256)) * 10
    whole = manifest(data, inline=False)
    assert told(up(end, whole, ask=OLD))[0].status == "need"
    pieces = [Chunk(payload=whole.payload, index=n, data=it) for n in range(3) for it in [data[n * 1024 : n * 1024 + 1024]]]
    up(end, pieces[0], ask=OLD)
    end.belated._coming.clear()  # as after a restart
    up(end, pieces[1], ask=OLD)
    assert told(up(end, whole, ask=OLD))[0].have == bytes([0b001])
    up(end, pieces[1], ask=OLD)
    welcome(end, "wait")
    assert told(up(end, pieces[2], ask=OLD)) == []
    welcome(end)
    assert told(up(end, whole, ask=OLD))[0].status == "ok"
    assert heap(end) == {"d1": data}


def test_a_belated_answer_is_judged_and_told_why_not(end: Upper) -> None:
    welcome(end)
    heard: list[str] = []
    end.belated.refused = lambda member, ask, answer, reason: heard.append(reason)
    assert told(up(end, manifest(b"NaN"), ask=OLD))[0].reason == "non_finite"
    assert told(up(end, manifest(b"x", size=Heap.limit + 1), ask=OLD))[0].reason == "oversized"
    assert told(up(end, manifest(b"x", size=2), ask=OLD)) == []  # damaged on its way: it will come again
    assert heard == ["non_finite", "oversized"]
    assert heap(end) == {}
