"""The link against a real Mosquitto with the configuration that we generate."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest

from folkmoot.link.backoff import Backoff
from folkmoot.link.broker import Broker, free_port
from folkmoot.link.dialect import REFUSALS, V5
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import (
    TOO_LARGE,
    Arrived,
    Connected,
    Disconnected,
    Event,
    Failed,
    Last,
    Limits,
    Published,
    Session,
    Stopped,
    Unreachable,
)
from folkmoot.link.mqtt import MqttLink
from folkmoot.link.rules import publish_size
from tests.kit.broker import endpoint, run
from tests.kit.cord import cord
from tests.kit.ear import join

pytestmark = pytest.mark.broker
ROOT = Path(__file__).resolve().parents[3]


async def test_a_message_reaches_who_has_subscribed_and_its_sender_hears_so(mosquitto: Broker) -> None:
    _, heard = join(endpoint(mosquitto), "receiver", "t/+")
    await heard.next(Connected)
    sender, said = join(endpoint(mosquitto), "sender")
    await said.next(Connected)

    assert sender.send("row 7", "t/x", b"payload")

    arrived = await heard.next(Arrived)
    assert (arrived.topic, arrived.payload, arrived.retained) == ("t/x", b"payload", False)
    assert await said.next(Published) == Published("row 7", heard=True)


async def test_a_message_that_nobody_has_subscribed_to_is_published_and_says_so(mosquitto: Broker) -> None:
    link, ear = join(endpoint(mosquitto), "sender")
    await ear.next(Connected)
    link.send(1, "nobody/here", b"")
    assert await ear.next(Published) == Published(1, heard=False)


async def test_qos_0_is_published_when_it_is_written_and_arrives_without_a_token(mosquitto: Broker) -> None:
    link, ear = join(endpoint(mosquitto), "both", "t", receive_maximum=1)
    await ear.next(Connected)
    for number in range(3):
        assert link.send(number, "t", b"%d" % number, qos=0)
    for number in range(3):
        assert await ear.next(Published) == Published(number)
    while len(ear.all(Arrived)) < 3:
        await ear.next(Arrived)
    assert [(event.payload, event.token) for event in ear.all(Arrived)] == [(b"0", None), (b"1", None), (b"2", None)]


async def test_the_broker_holds_back_what_is_not_acknowledged(mosquitto: Broker) -> None:
    receiver, heard = join(endpoint(mosquitto), "receiver", "t", receive_maximum=2)
    await heard.next(Connected)
    sender, said = join(endpoint(mosquitto), "sender")
    await said.next(Connected)
    for number in range(4):
        sender.send(number, "t", b"%d" % number)
        await said.next(Published)
    first, second = await heard.next(Arrived), await heard.next(Arrived)

    receiver.send("after all that", "other", b"")
    await heard.next(Published)
    assert [event.payload for event in heard.all(Arrived)] == [b"0", b"1"]

    receiver.ack(first.token)
    assert (await heard.next(Arrived)).payload == b"2"
    receiver.ack(second.token)
    assert (await heard.next(Arrived)).payload == b"3"


async def test_what_is_not_acknowledged_comes_again_after_a_cut_and_what_is_does_not(mosquitto: Broker) -> None:
    async with cord(mosquitto.port) as wire:
        receiver, heard = join(wire.endpoint, "receiver", "t")
        await heard.next(Connected)
        sender, said = join(endpoint(mosquitto), "sender")
        await said.next(Connected)
        for number in range(3):
            sender.send(number, "t", b"%d" % number)
        first, second, _ = [await heard.next(Arrived) for _ in range(3)]
        receiver.ack(first.token)
        receiver.send("the acknowledgement is there", "other", b"")
        await heard.next(Published)

        wire.cut()

        assert (await heard.next(Connected)).resumed
        receiver.ack(second.token)  # of the old connection: says nothing now
        again = [await heard.next(Arrived) for _ in range(2)]
        assert [event.payload for event in again] == [b"1", b"2"]
        assert len({first.token, second.token, *(event.token for event in again)}) == 4


async def test_no_more_than_the_window_is_on_its_way_and_a_cut_gives_it_back(mosquitto: Broker) -> None:
    async with cord(mosquitto.port) as wire:
        link, ear = join(wire.endpoint, "sender", window=3)
        limits = (await ear.next(Connected)).limits
        assert (limits.window, link.free) == (3, 3)
        wire.hold()
        assert [link.send(number, "t", b"x") for number in range(5)] == [True, True, True, False, False]
        assert link.free == 0

        wire.cut()
        wire.mend()

        assert (await ear.next(Disconnected)).unsettled == (0, 1, 2)
        await ear.next(Connected)
        assert link.free == 3
        link.send(3, "t", b"x")
        assert (await ear.next(Published)).key == 3
        assert [event.key for event in ear.all(Published)] == [3]  # nothing was sent again behind our back


async def test_each_acknowledgement_makes_room_for_one_more(mosquitto: Broker) -> None:
    link, ear = join(endpoint(mosquitto), "sender", window=2)
    await ear.next(Connected)
    waiting = list(range(50))
    while waiting or link.free < 2:
        while waiting and link.send(waiting[0], "t", b"x"):
            waiting.pop(0)
            assert link.free <= 1
        await ear.next(Published)
    assert [event.key for event in ear.all(Published)] == list(range(50))


async def test_what_the_broker_grants_is_obeyed(tmp_path: Path) -> None:
    port = free_port()
    text = f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 2\nmax_packet_size 1000\n"
    with run(tmp_path, port, text) as broker:
        link, ear = join(endpoint(broker), "sender", window=8)
        assert (await ear.next(Connected)).limits == Limits(window=2, max_packet=1_000)

        room = 1_000 - publish_size("t", b"", qos=1, expires=True, v5=True) - 1  # its length takes a second byte
        link.send("fits", "t", b"x" * room, expiry_s=60)
        link.send("too large", "t", b"x" * (room + 1), expiry_s=60)

        assert (await ear.next(Failed)).key == "too large"
        assert ear.all(Failed)[0].reason.startswith(TOO_LARGE)
        assert (await ear.next(Published)).key == "fits"
        assert not ear.all(Disconnected)


async def test_a_limit_that_was_told_in_mqtt_5_is_obeyed_in_3_1_1_too(tmp_path: Path) -> None:
    """A broker that stood still for a minute looks like an old one, which could not say what it takes."""
    port = free_port()
    text = f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 1000\n"
    with run(tmp_path, port, text):
        async with cord(port) as wire:
            link, ear = join(wire.endpoint, "sender")
            await ear.next(Connected)
            link._dialect.turned(V5, time.monotonic(), min(REFUSALS), silent=False)
            wire.cut()
            assert (await ear.next(Connected)).limits.max_packet == 1_000
            assert link.protocol == "3.1.1"
            link.send(1, "t", b"x" * 1_000)
            assert (await ear.next(Failed)).reason.startswith(TOO_LARGE)
        assert "oversize" not in (tmp_path / "broker.log").read_text()


async def test_our_own_limit_holds_where_the_broker_has_none(plain_mosquitto: Broker) -> None:
    link, ear = join(endpoint(plain_mosquitto), "sender", max_packet=5_000)
    assert (await ear.next(Connected)).limits.max_packet == 5_000
    link.send(1, "t", b"x" * 5_000)
    assert (await ear.next(Failed)).key == 1


async def test_a_retained_message_says_that_it_is_old(mosquitto: Broker) -> None:
    sender, said = join(endpoint(mosquitto), "sender")
    await said.next(Connected)
    sender.send(1, "t", b"kept", retain=True)
    await said.next(Published)
    _, heard = join(endpoint(mosquitto), "receiver", "t")
    assert (await heard.next(Arrived)).retained


async def test_a_will_is_sent_when_a_process_is_killed(mosquitto: Broker) -> None:
    _, heard = join(endpoint(mosquitto), "watcher", "member/status")
    await heard.next(Connected)
    command = (sys.executable, "-m", "tests.kit.member", str(mosquitto.port), "member")
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert child.stdout
        assert await child.stdout.readline() == b"up\n"
    finally:
        child.kill()
        await child.wait()
    assert (await heard.next(Arrived)).payload == b"down"


async def test_a_delayed_will_is_void_when_its_sender_is_back_in_time(mosquitto: Broker) -> None:
    _, heard = join(endpoint(mosquitto), "watcher", "status", "marker")
    await heard.next(Connected)
    async with cord(mosquitto.port) as wire:
        births = iter(range(100))
        _, ear = join(wire.endpoint, "member", will=lambda: Last("status", b"down %d" % next(births), delay_s=1))
        await ear.next(Connected)
        wire.cut()
        await ear.next(Disconnected)
        await ear.next(Connected)
        wire.hold()
        wire.cut()  # now for good
        assert (await heard.next(Arrived)).payload == b"down 1"


async def test_a_stop_leaves_the_last_word_and_no_will(mosquitto: Broker) -> None:
    _, heard = join(endpoint(mosquitto), "watcher", "status", receive_maximum=10)
    await heard.next(Connected)
    link, ear = join(endpoint(mosquitto), "member", will=lambda: Last("status", b"down"), window=2)
    await ear.next(Connected)
    link.send(1, "status", b"up")
    link.send(2, "status", b"busy")

    link.stop(Last("status", b"bye", retain=True))
    assert not link.send(3, "status", b"too late")
    await link.stopped()

    assert isinstance(ear.events[-1], Stopped)
    assert [event.key for event in ear.all(Published)] == [1, 2]
    assert ear.all(Disconnected)[0].unsettled == ()
    while len(heard.all(Arrived)) < 3:
        await heard.next(Arrived)
    assert [event.payload for event in heard.all(Arrived)] == [b"up", b"busy", b"bye"]
    _, late = join(endpoint(mosquitto), "late", "status")
    assert (await late.next(Arrived)).payload == b"bye"


async def test_a_stop_without_a_connection_stops(mosquitto: Broker) -> None:
    link, ear = join(Endpoint("127.0.0.1", free_port()), "alone")
    assert not (await ear.next(Unreachable)).lasting
    link.stop(Last("status", b"bye"))
    await link.stopped()
    assert isinstance(ear.events[-1], Stopped)


async def test_a_stop_over_a_dead_connection_stops(mosquitto: Broker) -> None:
    async with cord(mosquitto.port) as wire:
        link, ear = join(wire.endpoint, "member")
        await ear.next(Connected)
        wire.hold()
        link.stop(Last("status", b"bye"))
        await link.stopped()
        assert [type(event) for event in ear.events[-2:]] == [Disconnected, Stopped]


async def test_a_dead_connection_is_noticed_after_the_keepalive(mosquitto: Broker) -> None:
    async with cord(mosquitto.port) as wire:
        _, ear = join(wire.endpoint, "member", keepalive_s=1)
        await ear.next(Connected)
        wire.hold()
        assert "eep alive" in (await ear.next(Disconnected)).reason


async def test_a_second_client_of_the_same_name_throws_the_first_one_out(mosquitto: Broker) -> None:
    first, ear = join(endpoint(mosquitto), "twin", wait=60)
    await ear.next(Connected)
    _, other = join(endpoint(mosquitto), "twin", wait=60)
    await other.next(Connected)
    await ear.next(Disconnected)
    first.stop()


async def test_a_sink_that_fails_ends_nothing(mosquitto: Broker) -> None:
    came = asyncio.Event()

    def fail(event: Event) -> None:
        if isinstance(event, Arrived):
            came.set()
        raise ValueError(event)

    session = Session(client="member", filters=("t",))
    link = MqttLink(endpoint(mosquitto), session, fail, Backoff(Random(0)))
    link.start()
    sender, said = join(endpoint(mosquitto), "sender")
    await said.next(Connected)
    while not came.is_set():
        sender.send(1, "t", b"x")
        await said.next(Published)
    link.stop()
    await link.stopped()


async def test_a_hundred_links_share_one_loop_and_one_thread(mosquitto: Broker) -> None:
    threads = threading.active_count()
    members = [join(endpoint(mosquitto), f"member-{number}", f"to/{number}", wait=0.5) for number in range(100)]
    for again in range(2):
        for number, (link, ear) in enumerate(members):
            await ear.next(Connected)
            assert link.send("mine", f"to/{number}", b"mine")
        for link, ear in members:
            link.ack((await ear.next(Arrived)).token)  # by now everybody has subscribed
        for number, (link, _) in enumerate(members):
            assert link.send("next", f"to/{(number + 1) % 100}", b"%d" % number)
        for number, (link, ear) in enumerate(members):
            arrived = await ear.next(Arrived)
            assert arrived.payload == b"%d" % ((number - 1) % 100)
            link.ack(arrived.token)
        if not again:
            mosquitto.kill()
            mosquitto.start()
    assert threading.active_count() == threads
    for link, _ in members:
        link.stop()
    for link, _ in members:
        await link.stopped()
