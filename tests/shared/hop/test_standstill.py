"""A lower end that can store nothing: what it says, and what it does not."""

from folkmoot.hop.roster import Roster
from folkmoot.hop.standstill import Standstill
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Block, Body, Hello, Receipt, Refuse, Request, Started, Status
from tests.kit.asks import ask
from tests.kit.ends import TREE, message

HELLO = Hello(software="folkmoot 1", data="toy", examples=40)
KNOWN, OTHER = b"1" * 16, b"2" * 16


def still(limit: int = 100_000) -> Standstill:
    """Gives device d1, which has begun one Ask."""
    return Standstill(TREE, "d1", HELLO, {KNOWN}, limit, "no_room", "no room on the disk")


def reply(body: Body, deed: bytes = b"", dst: str = "d1", end: Standstill | None = None) -> list[Body]:
    """Gives what it replies to a message."""
    left = 1_000 if isinstance(body, Ask) else None
    sends = (end or still()).receive(TREE.topic("d1", type(body)), message("g1", dst, body, deed, left))
    assert all(send.ask == deed for send in sends if not isinstance(send.body, Hello))
    return [send.body for send in sends]


def test_its_upper_end_knows_at_once_that_it_is_not_ready_and_why() -> None:
    roster = Roster()
    roster.status("d1", Status(state="up", birth=3, hello=codec.digest(codec.dump(HELLO))), 0)
    roster.hello("d1", HELLO, codec.digest(codec.dump(HELLO)), 0)
    assert list(roster.ready()) == ["d1"]
    for send in still().announce(birth=3):
        assert send.member == "d1"
        if isinstance(send.body, Status):
            assert send.retain
            assert roster.status("d1", send.body, 1) is None  # it is as up as it was
        else:
            assert isinstance(send.body, Hello)
            roster.hello("d1", send.body, codec.digest(codec.dump(send.body)), 1)
    assert (roster.entries["d1"].state, roster.entries["d1"].known) == ("up", True)
    assert roster.ready() == {}
    hello = roster.entries["d1"].hello
    assert hello is not None
    assert (hello.ready, hello.why_not, hello.examples) == (False, "no room on the disk", 40)


def test_it_refuses_what_it_is_asked_but_what_it_has_begun_it_will_go_on_with() -> None:
    assert reply(ask(), OTHER) == [Refuse(reason="no_room", detail="no room on the disk")]
    assert reply(ask(), KNOWN) == [Started()]


def test_it_says_again_who_it_is_and_nothing_to_all_else() -> None:
    assert reply(Request(what="hello")) == [Hello(**{**_fields(HELLO), "ready": False, "why_not": "no room on the disk"})]
    data = bytes(100)
    block = Block(blob=b"b" * 32, index=0, size=100, data=data)
    for body in (Request(what="cancel"), Receipt(status="ok", payload=b"p" * 32), block):
        assert reply(body, KNOWN) == []
    assert reply(ask(), OTHER, dst="d2") == []
    assert reply(ask(inline=bytes(5_000)), OTHER, end=still(limit=4_000)) == []
    assert still().receive(TREE.topic("d1", Ask), b"\xff" * 50) == []
    assert still().receive("no/topic/of/ours", b"") == []


def _fields(hello: Hello) -> dict[str, object]:
    return {name: getattr(hello, name) for name in hello.__struct_fields__}
