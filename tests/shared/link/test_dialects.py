"""Brokers that know no MQTT 5, and other brokers that are not Mosquitto."""

import struct

import pytest

from folkmoot.link.broker import Broker
from folkmoot.link.face import Arrived, Connected, Denied, Disconnected, Failed, Published, Unreachable
from tests.kit.broker import endpoint
from tests.kit.ear import join
from tests.kit.impostor import (
    CONNECT,
    HANG_UP,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBLISH,
    SUBSCRIBE,
    TAKEN_5,
    TAKEN_311,
    impostor,
)

REFUSALS = {
    "unsupported version": b"\x20\x03\x00\x84\x00",
    "3.1.1's own refusal": b"\x20\x02\x00\x01",
    "protocol error": b"\x20\x03\x00\x82\x00",
    "a disconnect": HANG_UP,
    "nonsense": b"\x00\x00",
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1_and_remembered(refusal: bytes | None) -> None:
    answers = {(5, CONNECT): refusal, (4, CONNECT): TAKEN_311, (4, PUBLISH): HANG_UP}
    async with impostor(answers) as broker:
        link, ear = join(broker.endpoint, "member")
        await ear.next(Connected)
        assert broker.versions == [5, 4]
        link.send(1, "t", b"")  # it hangs up
        await ear.next(Disconnected)
        await ear.next(Connected)
        assert broker.versions == [5, 4, 4]
        assert not ear.all(Unreachable)
        link.stop()


async def test_a_broker_that_has_spoken_mqtt_5_is_not_asked_for_less_after_one_silent_refusal() -> None:
    answers: dict[tuple[int, int], bytes | None] = {(5, CONNECT): TAKEN_5, (5, PUBLISH): HANG_UP, (4, CONNECT): HANG_UP}
    async with impostor(answers) as broker:
        link, ear = join(broker.endpoint, "member")
        await ear.next(Connected)
        broker.answers[5, CONNECT] = HANG_UP
        link.send(1, "t", b"")
        await ear.next(Disconnected)
        await ear.next(Unreachable)
        broker.answers[5, CONNECT] = TAKEN_5
        await ear.next(Connected)
        assert broker.versions[:2] == [5, 5]
        assert broker.versions[-1] == 5
        link.stop()


async def test_a_wrong_password_goes_to_the_longest_wait_and_is_told_as_lasting() -> None:
    async with impostor({(5, CONNECT): b"\x20\x03\x00\x86\x00"}) as broker:
        link, ear = join(broker.endpoint, "member", wait=60)
        unreachable = await ear.next(Unreachable)
        assert (unreachable.reason, unreachable.lasting) == ("Bad user name or password", True)
        link.stop()
        assert broker.versions == [5]


async def test_a_filter_that_is_refused_is_told() -> None:
    answers = {(5, CONNECT): TAKEN_5, (5, SUBSCRIBE): b"\x90\x05\x00\x01\x00\x87\x01"}
    async with impostor(answers) as broker:
        link, ear = join(broker.endpoint, "member", "secret", "mine")
        assert await ear.next(Denied) == Denied("secret", "Not authorized")
        assert len(ear.all(Denied)) == 1
        link.stop()


async def test_what_the_session_asks_for_is_in_connect_and_publish() -> None:
    async with impostor({(5, CONNECT): TAKEN_5}) as broker:
        link, ear = join(broker.endpoint, "member", keepalive_s=30, expiry_s=7, receive_maximum=5, max_packet=9_999, window=2)
        await ear.next(Connected)
        connect = await broker.packet(CONNECT)
        assert connect[7] & 0x02 == 0  # clean start
        assert struct.unpack("!H", connect[8:10]) == (30,)
        properties = connect[11 : 11 + connect[10]]
        assert b"\x11" + struct.pack("!I", 7) in properties
        assert b"\x21" + struct.pack("!H", 5) in properties
        assert b"\x27" + struct.pack("!I", 9_999) in properties
        link.send(1, "t", b"x", expiry_s=3)
        publish = await broker.packet(PUBLISH)
        assert publish[5:] == b"\x05\x02" + struct.pack("!I", 3) + b"x"
        link.stop()


async def test_a_shorter_keepalive_is_the_brokers_to_ask_for() -> None:
    asks_for_one_second = b"\x20\x06\x00\x00\x03\x13\x00\x01"
    answers = {(5, CONNECT): asks_for_one_second, (5, PINGREQ): PINGRESP, (5, PUBLISH): HANG_UP}
    async with impostor(answers) as broker:
        link, ear = join(broker.endpoint, "member")
        await ear.next(Connected)
        link.send(1, "t", b"")
        await ear.next(Disconnected)
        assert struct.unpack("!H", (await broker.packet(CONNECT, 1))[8:10]) == (1,)
        await broker.packet(PINGREQ, 2)
        assert len(ear.all(Disconnected)) == 1
        link.stop()


GARBAGE = {
    "a reserved type": b"\x00\x00",
    "a length without end": b"\x30\xff\xff\xff\xff\xff",
    "a publish without a topic": b"\x32\x01\x00",
    "a publish whose properties lie": b"\x32\x07\x00\x01t\x00\x01\x7f\x02",
    "an acknowledgement of nothing": b"\x40\x00",
    "a second answer to CONNECT": b"\x20\x03\x00\x01\x00",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_a_broker_that_talks_nonsense_costs_a_connection_and_nothing_else(garbage: bytes) -> None:
    async with impostor({(5, CONNECT): TAKEN_5, (5, PUBLISH): garbage}) as broker:
        link, ear = join(broker.endpoint, "member")
        await ear.next(Connected)
        link.send(1, "t", b"")
        assert (await ear.next(Disconnected)).unsettled == (1,)
        broker.answers[5, PUBLISH] = PUBACK
        await ear.next(Connected)
        link.send(2, "t", b"")
        assert (await ear.next(Published)).key == 2
        link.stop()


async def test_an_answer_to_no_question_is_passed_over() -> None:
    async with impostor({(5, CONNECT): TAKEN_5, (5, PUBLISH): b"\x90\x04\x00\x09\x00\x87\x40\x02\x00\x07" + PUBACK}) as broker:
        link, ear = join(broker.endpoint, "member")
        await ear.next(Connected)
        link.send(1, "t", b"")
        assert (await ear.next(Published)).key == 1
        link.stop()


@pytest.mark.broker
async def test_amqtt_takes_us_in_3_1_1(amqtt: Broker) -> None:
    link, ear = join(endpoint(amqtt), "member", "t")
    assert (await ear.next(Connected)).limits.window == 4
    link.send(1, "t", b"x", expiry_s=60)
    link.ack((await ear.next(Arrived)).token)
    link.send(2, "t", b"x" * 300_000)
    assert (await ear.next(Failed)).key == 2
    amqtt.kill()
    await ear.next(Disconnected)
    amqtt.start()
    await ear.next(Connected)
    link.send(3, "t", b"again")
    assert (await ear.next(Arrived)).payload == b"again"
    link.stop()
    await link.stopped()
