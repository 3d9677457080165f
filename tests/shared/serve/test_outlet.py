"""What leaves a node over one link."""

from collections.abc import Hashable
from typing import Any

import msgspec

from folkmoot.hop.batch import Send
from folkmoot.link.face import Connected, Disconnected, Failed, Limits, Published
from folkmoot.serve.outlet import Outlet
from folkmoot.wire import codec
from folkmoot.wire.messages import Block, Get, Invited, Request, Started, Status, Telemetry
from folkmoot.wire.topics import Tree
from tests.kit.asks import ask

TREE = Tree("fl", "g1")


class Slot:
    """A link that takes as many messages as it has room for, and keeps them."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.taken: list[tuple[Hashable, str, bytes, dict[str, Any]]] = []

    def send(self, key: Hashable, topic: str, payload: bytes, **options: Any) -> bool:
        if not self.free:
            return False
        self.free -= 1
        self.taken.append((key, topic, payload, options))
        return True


def outlet(free: int = 100, upper: bool = True) -> tuple[Outlet, Slot]:
    """Gives an outlet on a link with so much room."""
    slot = Slot(free)
    made = Outlet(slot, TREE, "g1" if upper else "d1", upper=upper, boot=7, make_id=lambda: bytes(16), wall=lambda: 1_000)  # type: ignore[arg-type]
    return made, slot


def asked(round: int = 1, deadline: int = 10_000) -> Send:
    """Gives an Ask on its way to d1."""
    return Send("d1", ask(round=round), bytes([round]) * 16, deadline=deadline)


def test_the_remaining_time_is_that_of_the_moment_when_it_leaves() -> None:
    made, slot = outlet(free=0)
    made.post([asked(deadline=10_000)], 0)
    slot.free = 1
    made.hear(Connected(False, Limits(1, 1_000)), lambda: 4_000)
    (_, topic, payload, options) = slot.taken[0]
    envelope = codec.unseal(payload, limit=10_000)
    assert topic == "fl/v1/h/g1/d1/dn/ask"
    assert (envelope.remaining_ms, envelope.src, envelope.dst, envelope.fresh) == (6_000, "g1", "d1", (7, 1))
    assert options["expiry_s"] == 6


def test_an_ask_that_is_late_before_it_leaves_does_not_leave() -> None:
    made, slot = outlet(free=0)
    made.post([asked(deadline=100)], 0)
    slot.free = 1
    made.hear(Connected(False, Limits(1, 1_000)), lambda: 100)
    assert not slot.taken
    assert len(made) == 0


def test_a_newer_message_takes_the_place_of_one_that_waits() -> None:
    made, slot = outlet(free=0)
    made.post([asked(), asked(), Send("d1", Request(what="hello"))], 0)
    assert len(made) == 2
    slot.free = 9
    made.hear(Connected(False, Limits(9, 1_000)), lambda: 1)
    assert len(slot.taken) == 2


def test_of_equal_messages_of_one_step_one_leaves() -> None:
    made, slot = outlet(free=9)
    made.post([Send("d1", Request(what="hello"))] * 3, 0)
    assert len(slot.taken) == 1


def test_blobs_of_one_ask_do_not_take_each_others_place() -> None:
    made, _ = outlet(free=0, upper=False)
    made.post([Send("d1", Get(blob=bytes([n]) * 32, count=1), b"1" * 16) for n in range(2)], 0)
    assert len(made) == 2


def test_what_the_broker_did_not_take_before_the_link_went_is_sent_again_first() -> None:
    made, slot = outlet(free=2)
    made.post([asked(1), asked(2), asked(3)], 0)
    first, second = (key for key, *_ in slot.taken)
    made.hear(Published(first), lambda: 1)
    made.hear(Disconnected("gone", (second,)), lambda: 2)
    slot.free, slot.taken = 9, []
    made.hear(Connected(False, Limits(9, 1_000)), lambda: 3)
    assert [codec.unseal(payload, limit=10_000).ask for _, _, payload, _ in slot.taken] == [b"\2" * 16, b"\3" * 16]


def test_a_request_for_blocks_that_may_have_arrived_is_not_sent_again() -> None:
    made, slot = outlet(free=2, upper=False)
    made.post([Send("d1", Get(blob=b"b" * 32, count=1), b"1" * 16), Send("d1", Get(), b"1" * 16)], 0)
    made.hear(Disconnected("gone", tuple(key for key, *_ in slot.taken)), lambda: 2)
    slot.free, slot.taken = 9, []
    made.hear(Connected(True, Limits(9, 1_000)), lambda: 3)
    assert [codec.unseal(payload, limit=10_000).body for _, _, payload, _ in slot.taken] == [Get()]


def test_a_refused_message_is_given_back_and_not_repeated() -> None:
    made, slot = outlet()
    send = Send("d1", Request(what="hello"))
    made.post([send], 0)
    assert made.hear(Failed(slot.taken[0][0], "Not authorized"), lambda: 1) == send
    assert len(made) == 0


def test_telemetry_is_not_worth_an_acknowledgement_and_a_status_stays() -> None:
    made, slot = outlet(upper=False)
    made.post([Send("d1", Telemetry()), Send("d1", Status(state="up", birth=1), retain=True)], 0)
    assert [(options["qos"], options["retain"], options["expiry_s"] is None) for *_, options in slot.taken] == [
        (0, False, False),
        (1, True, True),
    ]


def test_it_tells_how_large_messages_were() -> None:
    made, slot = outlet(upper=False)
    told: list[tuple[str, bytes, int]] = []
    made.sent = lambda member, deed, size: told.append((member, deed, size))
    made.post([Send("d1", Started(), b"1" * 16)], 0)
    assert told == [("d1", b"1" * 16, len(slot.taken[0][2]))]
    assert (made.messages, made.bytes) == (1, len(slot.taken[0][2]))


def test_a_content_is_fetched_when_its_message_leaves_and_without_one_nothing_leaves() -> None:
    made, slot = outlet(free=0)
    there = {0: b"zero", 1: b"one", 2: b"two"}

    def fill(block: Block) -> Block | None:
        return msgspec.structs.replace(block, data=there[block.index]) if block.index in there else None

    made.post([Send("d1", Block(blob=b"b" * 32, index=n, size=9), b"1" * 16, fill=fill) for n in range(3)], 0)
    del there[1]
    slot.free = 1
    made.hear(Connected(False, Limits(9, 1_000)), lambda: 1)
    made.hear(Disconnected("gone", (slot.taken[0][0],)), lambda: 2)
    slot.free, slot.taken = 9, []
    made.hear(Connected(False, Limits(9, 1_000)), lambda: 3)
    left = [codec.unseal(payload, limit=10_000).body for _, _, payload, _ in slot.taken]
    assert [block.data for block in left if isinstance(block, Block)] == [b"zero", b"two"]
    assert (len(made.waiting), len(made)) == (0, 2)


def test_what_waits_is_bounded_by_its_bytes_and_the_oldest_goes() -> None:
    piece = bytes(1 << 20)  # the same one in every message: what is bounded is what they would take
    made, slot = outlet(free=0)

    def post(first: int, last: int) -> None:
        for index in range(first, last):
            made.post([Send("d1", Block(blob=b"b" * 32, index=index, size=1 << 30, data=piece), b"1" * 16)], 0)

    post(0, 100)
    assert [send.body.index for send in made.waiting] == list(range(37, 100))  # type: ignore[union-attr]
    slot.free = 3
    made.hear(Connected(False, Limits(3, 1 << 21)), lambda: 1)
    assert len(made.waiting) == 60
    made.hear(Disconnected("gone", tuple(key for key, *_ in slot.taken)), lambda: 2)
    assert len(made.waiting) == 63
    slot.free = 63
    made.hear(Connected(False, Limits(63, 1 << 21)), lambda: 3)
    assert not made.waiting
    post(100, 200)  # what has gone is not counted any more
    assert len(made.waiting) == 63


def test_the_asks_of_a_large_round_all_wait_for_they_share_its_leaves_and_weights() -> None:
    leaves, weights = tuple(Invited(f"d{number}") for number in range(5_000)), bytes(65_000)
    made, _ = outlet(free=0)
    made.post([Send(f"g{n}", ask(each=leaves, inline=weights), n.to_bytes(16)) for n in range(1_000)], 0)
    assert [send.member for send in made.waiting] == [f"g{n}" for n in range(1_000)]


def test_nothing_goes_that_the_link_would_have_taken() -> None:
    made, slot = outlet(free=100)
    pieces = [Block(blob=b"b" * 32, index=index, size=1 << 30, data=bytes(1 << 20)) for index in range(100)]
    made.post([Send("d1", piece, b"1" * 16) for piece in pieces], 0)
    assert (len(slot.taken), len(made.waiting)) == (100, 0)
