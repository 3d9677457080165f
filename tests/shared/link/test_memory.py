"""The link in memory keeps the promises of the real one, and its adversary breaks only what it says."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec.structs import replace

from folkmoot.link.adversary import Adversary, Partition
from folkmoot.link.face import (
    TOO_LARGE,
    Arrived,
    Connected,
    Disconnected,
    Failed,
    Last,
    Published,
    Session,
    Stopped,
    Unreachable,
)
from folkmoot.link.hub import Hub
from tests.kit.party import Party

LONG = 600_000  # ms: whatever is going to happen has happened

chances = some.floats(0, 0.3)
unkind = some.builds(
    Adversary, duplicate=chances, reorder=chances, cut=chances, delay_ms=some.sampled_from([(1, 1), (1, 50), (5, 3_000)])
)
hostile = some.builds(
    Adversary, drop=chances, duplicate=chances, corrupt=chances, truncate=chances, reorder=chances, cut=chances
)
moves = some.lists(
    some.one_of(
        some.tuples(some.just("say"), some.integers(0, 5)),
        some.tuples(some.just("wait"), some.integers(0, 5_000)),
        some.tuples(some.just("cut"), some.sampled_from(["sender", "receiver"])),
    ),
    max_size=40,
)


def play(hub: Hub, script: list[tuple[str, int | str]]) -> tuple[Party, Party, list[bytes]]:
    """Gives a sender and a receiver after a script was played, and what was said."""
    receiver, sender = Party(hub, "receiver", "t/+"), Party(hub, "sender")
    said: list[bytes] = []
    for move, value in script:
        if move == "say":
            for _ in range(int(value)):
                said.append(b"%d" % len(said))
                sender.say(len(said), "t/x", said[-1])
        elif move == "wait":
            hub.agenda.run(hub.now + int(value))
        else:
            hub.cut(str(value))
        assert sender.on_their_way <= sender.session.window
    return sender, receiver, said


@given(some.integers(), unkind, moves)
@settings(max_examples=150, deadline=None)
def test_whatever_is_said_arrives_at_least_once_unless_it_is_dropped(
    seed: int, adversary: Adversary, script: list[tuple[str, int | str]]
) -> None:
    hub = Hub(Random(seed), adversary)
    hub.agenda.run(LONG)
    sender, receiver, said = play(hub, [("wait", LONG), *script])
    hub.adversary = Adversary()
    hub.agenda.run(hub.now + LONG)
    assert not sender.waiting
    assert not sender.on_their_way
    assert set(receiver.heard) == set(said)


@given(some.integers(), hostile, moves)
@settings(max_examples=100, deadline=None)
def test_equal_seeds_give_equal_runs(seed: int, adversary: Adversary, script: list[tuple[str, int | str]]) -> None:
    def run() -> list[str]:
        hub = Hub(Random(seed), adversary)
        sender, receiver, _ = play(hub, script)
        hub.agenda.run(hub.now + LONG)
        return [repr(_plain(event)) for event in sender.events + receiver.events]

    assert run() == run()


def _plain(event: object) -> object:
    return replace(event, token=None) if isinstance(event, Arrived) else event


@given(some.integers(), hostile, moves)
@settings(max_examples=100, deadline=None)
def test_messages_arrive_only_while_connected(seed: int, adversary: Adversary, script: list[tuple[str, int | str]]) -> None:
    hub = Hub(Random(seed), adversary)
    for party in play(hub, script)[:2]:
        connected = False
        for event in party.events:
            if isinstance(event, Connected | Disconnected):
                assert connected != isinstance(event, Connected)
                connected = not connected
            elif not isinstance(event, Unreachable):
                assert connected


@given(some.integers(), some.binary(max_size=50))
def test_a_damaged_payload_is_shorter_or_differs_in_one_bit(seed: int, payload: bytes) -> None:
    rng = Random(seed)
    (shorter,) = Adversary(truncate=1).copies(payload, rng)
    assert payload.startswith(shorter)
    assert len(shorter) < len(payload) or not payload
    (other,) = Adversary(corrupt=1).copies(payload, rng)
    bits = int.from_bytes(payload, "big") ^ int.from_bytes(other, "big")
    assert bits.bit_count() == (1 if payload else 0)
    assert Adversary(drop=1).copies(payload, rng) == []
    assert Adversary(duplicate=1).copies(payload, rng) == [payload, payload]


@pytest.fixture
def hub() -> Hub:
    """Gives a hub where nothing goes wrong."""
    return Hub(Random(7))


def test_without_an_adversary_everything_arrives_once_and_in_order(hub: Hub) -> None:
    _, receiver, said = play(hub, [("wait", 10), ("say", 5), ("say", 5), ("wait", 100)])
    assert receiver.heard == said


def test_time_moves_only_with_the_caller_and_says_when_it_is_wanted(hub: Hub) -> None:
    assert hub.agenda.next is None
    party = Party(hub, "p", "t")
    assert hub.agenda.next == 0
    hub.agenda.run(0)
    assert hub.agenda.next == 1
    assert party.events == []
    hub.agenda.run(10)
    assert isinstance(party.events[0], Connected)
    assert hub.now == 10


def test_no_more_than_the_receive_maximum_waits_for_its_acknowledgement(hub: Hub) -> None:
    receiver = Party(hub, "receiver", "t", acks=False)
    sender = Party(hub, "sender")
    for number in range(10):
        sender.say(number, "t", b"%d" % number)
    hub.agenda.run(1_000)
    assert receiver.heard == [b"0", b"1", b"2", b"3"]
    receiver.link.ack(receiver.events[-1].token)  # type: ignore[union-attr]
    hub.agenda.run(2_000)
    assert receiver.heard[4:] == [b"4"]


def test_what_is_not_acknowledged_comes_again_and_an_old_token_says_nothing(hub: Hub) -> None:
    receiver = Party(hub, "receiver", "t", acks=False)
    sender = Party(hub, "sender")
    hub.agenda.run(10)
    sender.say(1, "t", b"x")
    hub.agenda.run(20)
    old = receiver.events[-1]
    hub.cut("receiver")
    hub.agenda.run(10_000)
    assert receiver.heard == [b"x", b"x"]
    receiver.link.ack(old.token)  # type: ignore[union-attr]
    hub.agenda.run(hub.now + 10)
    hub.cut("receiver")
    hub.agenda.run(hub.now + 10_000)
    assert receiver.heard == [b"x"] * 3


def test_a_full_queue_drops_in_silence_after_the_acknowledgement() -> None:
    hub = Hub(Random(7), queue=3)
    receiver, sender = Party(hub, "receiver", "t"), Party(hub, "sender")
    hub.agenda.run(10)
    receiver.link.stop()
    hub.agenda.run(20)
    for number in range(5):
        sender.say(number, "t", b"%d" % number)
    hub.agenda.run(1_000)
    assert [event.heard for event in sender.events if isinstance(event, Published)] == [True] * 5
    assert hub.dropped == 2
    back = Party(hub, "receiver", "t")
    hub.agenda.run(2_000)
    assert back.heard == [b"0", b"1", b"2"]


def test_a_session_lasts_as_long_as_it_was_asked_for(hub: Hub) -> None:
    session = Session(client="receiver", filters=("t",), expiry_s=60)
    for away, resumed in ((59_000, True), (61_000, False)):
        first = Party(hub, "", session=session)
        hub.agenda.run(hub.now + 10)
        first.link.stop()
        hub.agenda.run(hub.now + away)
        second = Party(hub, "", session=session)
        hub.agenda.run(hub.now + 10)
        assert isinstance(second.events[0], Connected)
        assert second.events[0].resumed is resumed
        second.link.stop()
        hub.agenda.run(hub.now + 1_000_000)


def test_a_retained_message_is_given_to_who_comes_later_until_it_is_cleared(hub: Hub) -> None:
    sender = Party(hub, "sender")
    hub.agenda.run(10)
    sender.say(1, "t", b"kept", retain=True)
    hub.agenda.run(20)
    late = Party(hub, "late", "t")
    hub.agenda.run(30)
    assert [(event.payload, event.retained) for event in late.events if isinstance(event, Arrived)] == [(b"kept", True)]
    sender.say(2, "t", b"", retain=True)
    hub.agenda.run(40)
    later = Party(hub, "later", "t")
    hub.agenda.run(50)
    assert later.heard == []


@pytest.mark.parametrize(("delay_s", "back", "expected"), [(0, True, [b"down"]), (5, True, []), (5, False, [b"down"])])
def test_a_will_is_said_for_who_is_lost_unless_it_may_wait_and_he_is_back(
    hub: Hub, delay_s: int, back: bool, expected: list[bytes]
) -> None:
    watcher = Party(hub, "watcher", "status")
    member = Party(hub, "", session=Session(client="member", will=lambda: Last("status", b"down", delay_s=delay_s)))
    hub.agenda.run(10)
    if back:
        hub.cut("member")
    else:
        member.link.kill()
    hub.agenda.run(20_000)
    assert watcher.heard == expected


def test_a_killed_link_says_nothing_more(hub: Hub) -> None:
    for moment in range(4):  # before CONNECT, before it arrives, before CONNACK arrives, connected
        party = Party(hub, f"p{moment}", "t")
        hub.agenda.run(hub.now + moment)
        said = len(party.events)
        party.link.kill()
        hub.agenda.run(hub.now + LONG)
        assert len(party.events) == said
        assert not party.link.send(1, "t", b"")


def test_a_stop_leaves_the_last_word_and_no_will_at_whatever_moment(hub: Hub) -> None:
    watcher = Party(hub, "watcher", "status")
    hub.agenda.run(100)
    for moment in range(4):
        session = Session(client="member", will=lambda: Last("status", b"down"))
        party = Party(hub, "", session=session)
        hub.agenda.run(hub.now + moment)
        connected = bool(party.events)
        party.link.stop(Last("status", b"bye"))
        hub.agenda.run(hub.now + 10_000)
        assert isinstance(party.events[-1], Stopped)
        assert sum(isinstance(event, Stopped) for event in party.events) == 1
        assert (b"bye" in watcher.heard) == connected
    assert set(watcher.heard) <= {b"bye", b"down"}


def test_a_name_is_one_client_and_the_newer_one_has_it(hub: Hub) -> None:
    first = Party(hub, "twin")
    hub.agenda.run(10)
    Party(hub, "twin")
    hub.agenda.run(20)
    assert first.events[-1] == Disconnected("Session taken over", ())


@pytest.mark.parametrize("remember", [True, False])
def test_a_broker_that_restarts_knows_its_sessions_or_does_not(hub: Hub, remember: bool) -> None:
    party = Party(hub, "p", "t")
    hub.agenda.run(10)
    hub.restart(remember=remember)
    hub.agenda.run(10_000)
    assert isinstance(party.events[-1], Connected)
    assert party.events[-1].resumed is remember
    party.say(1, "t", b"x")
    hub.agenda.run(20_000)
    assert party.heard == [b"x"]  # it has subscribed again


@pytest.mark.parametrize("moment", ["connected", "dialling", "cut"])
def test_a_link_may_change_what_it_subscribes_to(hub: Hub, moment: str) -> None:
    receiver, sender = Party(hub, "receiver", "old/+", "both/+"), Party(hub, "sender")
    sender.say(1, "new/kept", b"retained", retain=True)
    sender.say(2, "both/kept", b"known", retain=True)
    if moment == "dialling":
        hub.agenda.run(0)
    else:
        hub.agenda.run(LONG)
    if moment == "cut":
        hub.cut("receiver")
    receiver.link.subscribe(("both/+", "new/+"))
    hub.agenda.run(2 * LONG)
    assert receiver.heard.count(b"retained") == 1  # of what is new, the broker's memory is given, too
    assert receiver.heard.count(b"known") == 1 + (moment == "cut")
    for key, topic in enumerate(("old/x", "both/x", "new/x"), 3):
        sender.say(key, topic, topic.encode())
    hub.agenda.run(3 * LONG)
    assert receiver.heard[-2:] == [b"both/x", b"new/x"]
    assert b"old/x" not in receiver.heard


def test_a_message_that_is_too_large_fails_and_one_that_fits_does_not(hub: Hub) -> None:
    party = Party(hub, "", session=Session(client="p", max_packet=100))
    hub.agenda.run(10)
    party.say(1, "t", b"x" * 95)
    party.say(2, "t", b"x" * 90)
    hub.agenda.run(20)
    assert party.events[1:] == [Failed(1, TOO_LARGE), Published(2, heard=False)]


def test_a_message_with_an_expiry_does_not_wait_longer(hub: Hub) -> None:
    receiver, sender = Party(hub, "receiver", "t"), Party(hub, "sender")
    hub.agenda.run(10)
    receiver.link.stop()
    hub.agenda.run(20)
    for key, expiry_s in ((1, 5), (2, 50)):
        sender.say(key, "t", b"%d" % key, expiry_s=expiry_s)
    hub.agenda.run(10_000)
    back = Party(hub, "receiver", "t")
    hub.agenda.run(11_000)
    assert back.heard == [b"2"]


def test_a_partition_keeps_its_clients_away_for_as_long_as_it_lasts() -> None:
    hub = Hub(Random(7), Adversary(partitions=(Partition(frozenset({"a"}), 1_000, 60_000),)))
    apart, other = Party(hub, "a", "t"), Party(hub, "b", "t")
    hub.agenda.run(999)
    assert isinstance(apart.events[-1], Connected)
    hub.agenda.run(59_999)
    assert isinstance(apart.events[1], Disconnected)
    assert {type(event) for event in apart.events[2:]} <= {Unreachable}
    other.say(1, "t", b"x")
    hub.agenda.run(70_000)
    assert other.heard == [b"x"]
    assert apart.heard == [b"x"]
