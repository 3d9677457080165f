"""Who is there."""

from hypothesis import given
from hypothesis import strategies as st

from folkmoot.hop.roster import Roster
from folkmoot.wire import codec
from folkmoot.wire.messages import Hello, Status

STATUSES = st.builds(
    Status,
    state=st.sampled_from(["up", "sleeping", "down"]),
    birth=st.integers(0, 5),
    hello=st.just(b"h" * 32),
    bye=st.booleans(),
)


def test_a_birth_is_back_and_its_repetition_is_nothing() -> None:
    roster = Roster()
    assert roster.status("d1", Status(state="up", birth=1), 0) == "back"
    assert roster.status("d1", Status(state="up", birth=1), 1) is None
    assert roster.status("d1", Status(state="up", birth=2), 2) == "back"


def test_a_will_is_away_and_a_goodbye_is_gone() -> None:
    roster = Roster()
    roster.status("d1", Status(state="up", birth=1), 0)
    assert roster.status("d1", Status(state="down", birth=1), 1) == "away"
    assert roster.status("d1", Status(state="down", birth=1, bye=True), 2) == "gone"
    assert roster.status("d1", Status(state="up", birth=1), 3) == "back"


def test_a_hello_holds_for_the_status_that_named_it() -> None:
    roster = Roster()
    roster.status("d1", Status(state="up", birth=1, hello=b"1" * 32), 0)
    assert roster.missing("d1")
    assert roster.hello("d1", Hello(examples=1), b"1" * 32, 1)
    assert not roster.missing("d1")
    roster.status("d1", Status(state="up", birth=1, hello=b"2" * 32), 2)
    assert roster.missing("d1")


def test_a_hello_that_comes_late_does_not_take_the_place_of_the_one_that_holds() -> None:
    roster = Roster()
    roster.status("d1", Status(state="up", birth=1, hello=b"2" * 32), 0)
    roster.hello("d1", Hello(examples=2), b"2" * 32, 1)
    assert not roster.hello("d1", Hello(examples=1), b"1" * 32, 2)
    assert roster.ready()["d1"].examples == 2
    assert not roster.missing("d1")


def test_only_who_is_up_and_willing_can_be_asked() -> None:
    roster = Roster()
    for name, state, ready in (("a", "up", True), ("b", "sleeping", True), ("c", "up", False), ("d", "down", True)):
        roster.status(name, Status(state=state, birth=1), 0)  # type: ignore[arg-type]
        roster.hello(name, Hello(ready=ready), b"", 0)
    assert list(roster.ready()) == ["a"]


def test_a_hello_is_taken_from_another_device_and_from_no_gateway() -> None:
    roster = Roster()
    for name, hello, digest in (("d1", Hello(examples=1), b"1"), ("g1", Hello(devices=()), b"2")):
        roster.status(name, Status(state="up", birth=1, hello=digest * 32), 0)
        roster.hello(name, hello, digest * 32, 0)
    roster.news = False
    for name, digest, adopted in (("d2", b"1", True), ("d3", b"2", False), ("d4", b"3", False)):
        roster.status(name, Status(state="up", birth=1, hello=digest * 32), 1)
        assert roster.adopt(name) == adopted
        assert roster.missing(name) != adopted
    assert roster.entries["d2"].hello is roster.entries["d1"].hello
    assert roster.news
    assert not roster.adopt("nobody")


def test_hellos_that_are_nobodys_any_more_do_not_stay() -> None:
    roster = Roster()
    for number in range(100):
        digest = codec.digest(bytes([number]))
        roster.status("d1", Status(state="up", birth=number, hello=digest), 0)
        roster.hello("d1", Hello(examples=number), digest, 0)
    assert len(roster._hellos) <= 2


@given(st.lists(STATUSES, max_size=30))
def test_no_status_of_an_older_connection_ever_counts(statuses: list[Status]) -> None:
    roster, newest = Roster(), -1
    for status in statuses:
        before = roster.entries.get("d1")
        state = before.state if before is not None else None
        change = roster.status("d1", status, 0)
        if status.birth < newest:
            assert change is None
            assert roster.entries["d1"].state == state
        newest = max(newest, status.birth)
        assert roster.entries["d1"].birth == newest
