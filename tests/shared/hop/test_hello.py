"""Whom an upper end knows: hellos that are asked for, said, and taken from another device."""

from pathlib import Path

import msgspec
import pytest

from folkmoot.hop import events
from folkmoot.hop.batch import Batch
from folkmoot.hop.ids import ask_id
from folkmoot.hop.upper import Upper
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Hello, Request, Status
from tests.kit.asks import ask
from tests.kit.ends import Heap, sent, up, upper

WEIGHTS = b"weights" * 100
BLOBS = {codec.digest(WEIGHTS): WEIGHTS}
DEED = {name: ask_id("k", name) for name in ("d1", "d2")}
HELLO = Hello(data="toy", examples=3)
UP = Status(state="up", birth=1, hello=codec.digest(codec.dump(HELLO)))


@pytest.fixture
def end(tmp_path: Path) -> Upper:
    """Gives an upper end that knows nobody."""
    return upper(tmp_path)


def test_a_member_whose_hello_is_not_known_is_asked_for_it_once_for_each_status(end: Upper) -> None:
    for _ in range(2):
        assert [send.body for send in sent(up(end, UP), Request)] == [Request(what="hello")]
    up(end, HELLO)
    assert not sent(up(end, UP), Request)
    assert list(end.roster.ready()) == ["d1"]


def test_a_hello_that_another_device_has_said_is_not_asked_for_again(end: Upper) -> None:
    up(end, UP)
    up(end, HELLO)
    assert not sent(up(end, UP, src="d2", member="d2"), Request)
    assert end.roster.ready() == {"d1": HELLO, "d2": HELLO}
    other = msgspec.structs.replace(UP, hello=codec.digest(codec.dump(Hello(data="toy", examples=4))))
    assert sent(up(end, other, src="d2", member="d2"), Request)
    assert not sent(up(end, UP, src="d2", member="d2"), Request)
    assert end.roster.ready()["d2"] == HELLO


def test_a_member_that_another_devices_hello_makes_known_is_asked_when_it_says_again_that_it_is_there(end: Upper) -> None:
    assert sent(up(end, UP), Request)
    members = (events.Invitation("d1", here=False),)
    event = events.Opened("k", ask(weights=codec.digest(WEIGHTS)), events.Terms(deadline=60_000, welcome=True), members)
    end.open(Batch(0), event, Heap(), BLOBS)
    assert sent(up(end, UP, src="d2", member="d2"), Request)
    assert [send.ask for send in sent(up(end, HELLO, src="d2", member="d2", now=40), Ask)] == [DEED["d2"]]
    assert [send.ask for send in sent(up(end, UP, now=50), Ask)] == [DEED["d1"]]
    assert not sent(up(end, UP, now=60), Ask)


def test_a_member_that_was_seated_before_its_hello_had_come_is_asked_when_it_comes(end: Upper) -> None:
    hello = Hello(data="toy", examples=3)
    up(end, Status(state="up", birth=1, hello=codec.digest(codec.dump(hello))))
    members = (events.Invitation("d1", here=False),)
    event = events.Opened("k", ask(weights=codec.digest(WEIGHTS)), events.Terms(deadline=60_000), members)
    batch = Batch(0)
    end.open(batch, event, Heap(), BLOBS)
    assert not sent(batch, Ask)
    assert [send.ask for send in sent(up(end, hello, now=50), Ask)] == [DEED["d1"]]
    assert not sent(up(end, hello, now=60), Ask)
