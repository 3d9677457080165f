"""The secured profile on a real Mosquitto: who gets in, who may do what, as delivery shows it."""

import pytest

from folkmoot.link.broker import free_port
from folkmoot.link.endpoint import Endpoint, Login, Tls
from folkmoot.link.face import Arrived, Connected, Failed, Published, Unreachable
from folkmoot.wire.messages import Answer, Ask, Chunk, Hello, Receipt, Status
from folkmoot.wire.topics import Tree
from tests.kit.authority import Authority
from tests.kit.broker import HOME, Secured
from tests.kit.ear import join

pytestmark = pytest.mark.broker
TREE = Tree(upper=HOME)


async def test_a_device_and_its_gateway_reach_each_other_on_every_topic_of_the_tree(secured: Secured) -> None:
    gateway, above = join(secured.gateway(), HOME, *TREE.upper_filters(), receive_maximum=32, window=8)
    await above.next(Connected)
    gateway.send("status", TREE.upper_status, b"gateway", retain=True)
    device, below = join(secured.device("d1"), "d1", *TREE.lower_filters("d1"), window=8)
    await below.next(Connected)
    assert (await below.next(Arrived)).topic == TREE.upper_status
    for body in (Hello, Answer, Chunk, Status):
        device.send(body, TREE.topic("d1", body), body.__name__.encode())
    for body in (Hello, Answer, Chunk, Status):
        arrived = await above.next(Arrived, lambda event: event.topic != TREE.upper_status)
        assert arrived.payload == body.__name__.encode()
        assert (await below.next(Published)).heard
    for down in (Ask, Receipt):
        gateway.send(down, TREE.topic("d1", down), down.__name__.encode())
    for down in (Ask, Receipt):
        assert (await below.next(Arrived)).payload == down.__name__.encode()


FORBIDDEN = {
    "another device's answers": TREE.topic("d2", Answer),
    "another device's status": TREE.topic("d2", Status),
    "its own asks": TREE.topic("d1", Ask),
    "the gateway's status": TREE.upper_status,
    "another home": Tree(upper="gw2").topic("d1", Answer),
    "anything else": "somewhere/else",
}


async def test_a_device_may_not_publish_beyond_its_own_topics_and_is_told(secured: Secured) -> None:
    link, ear = join(secured.device("d1"), "d1")
    await ear.next(Connected)
    for what, topic in FORBIDDEN.items():
        link.send(what, topic, b"forged")
        assert await ear.next(Failed) == Failed(what, "Not authorized")
    link.send("allowed", TREE.topic("d1", Answer), b"")
    assert (await ear.next(Published)).key == "allowed"


async def test_a_device_hears_only_what_is_for_it_whatever_it_subscribes_to(secured: Secured) -> None:
    gateway, above = join(secured.gateway(), HOME, window=8)
    await above.next(Connected)
    _, nosy = join(secured.device("d1"), "d1", "#", receive_maximum=32)
    await nosy.next(Connected)
    gateway.send(1, TREE.topic("d2", Ask), b"not for d1")
    gateway.send(2, TREE.topic("d2", Status), b"not for d1", retain=True)
    gateway.send(3, TREE.topic("d1", Ask), b"for d1")
    assert (await nosy.next(Arrived)).payload == b"for d1"
    assert len(nosy.all(Arrived)) == 1


async def test_a_stolen_client_id_throws_nobody_out(secured: Secured) -> None:
    _, victim = join(secured.device("d1"), "d1")
    await victim.next(Connected)
    thief, ear = join(secured.device("d2"), "d1")
    await ear.next(Connected)
    thief.send(1, TREE.topic("d1", Answer), b"forged")
    assert (await ear.next(Failed)).reason == "Not authorized"
    assert len(victim.events) == 1


async def test_a_certificate_of_another_authority_does_not_get_in(secured: Secured) -> None:
    stranger = Authority(secured.folder / "stranger", "test authority")
    link, ear = join(secured.device("d1", stranger), "d1")
    assert "alert" in (await ear.next(Unreachable)).reason
    link.stop()


async def test_nobody_gets_in_without_a_certificate(secured: Secured) -> None:
    link, ear = join(Endpoint("127.0.0.1", secured.broker.port, Tls(secured.authority.ca)), "d1")
    assert "certificate required" in (await ear.next(Unreachable)).reason.replace("_", " ").lower()
    link.stop()


async def test_a_broker_with_a_certificate_of_another_authority_is_not_believed(secured: Secured) -> None:
    stranger = Authority(secured.folder / "stranger")
    pair = secured.authority.issue("d1")
    link, ear = join(Endpoint("127.0.0.1", secured.broker.port, Tls(stranger.ca, pair.certificate, pair.key)), "d1")
    unreachable = await ear.next(Unreachable)
    assert unreachable.lasting
    assert "CERTIFICATE_VERIFY_FAILED" in unreachable.reason
    link.stop()


async def test_a_broker_by_another_name_is_not_believed(secured: Secured) -> None:
    tls = secured.device("d1").tls
    link, ear = join(Endpoint("127.1", secured.broker.port, tls), "d1")  # the same address, not in its certificate
    unreachable = await ear.next(Unreachable)
    assert unreachable.lasting
    assert "ostname mismatch" in unreachable.reason
    link.stop()


async def test_a_name_that_nobody_knows_is_told() -> None:
    link, ear = join(Endpoint("no-such-host.invalid", 1883), "d1")
    assert (await ear.next(Unreachable)).reason.startswith("no-such-host.invalid: ")
    link.stop()


async def test_a_port_that_nobody_listens_on_is_told() -> None:
    link, ear = join(Endpoint("localhost", free_port()), "d1")
    assert (await ear.next(Unreachable)).reason == "Connection refused"
    link.stop()


async def test_a_wrong_password_does_not_get_in_and_the_right_one_is_taken_up_when_the_file_has_it(secured: Secured) -> None:
    way = secured.gateway("wrong")
    link, ear = join(way, HOME)
    unreachable = await ear.next(Unreachable)
    assert unreachable.lasting
    assert "ot authori" in unreachable.reason or "Bad user name" in unreachable.reason
    assert way.login
    right = secured.gateway().login
    assert right
    way.login.password.write_text(right.secret())  # type: ignore[union-attr]
    await ear.next(Connected)
    link.stop()


async def test_a_missing_certificate_or_password_is_told_in_a_sentence(secured: Secured) -> None:
    nowhere = secured.folder / "nowhere"
    for way, says in (
        (Endpoint("127.0.0.1", secured.broker.port, Tls(nowhere)), "give a PEM file"),
        (Endpoint("127.0.0.1", secured.broker.port, Tls(secured.authority.ca, nowhere, nowhere)), "matching pair"),
        (Endpoint("127.0.0.1", secured.local, login=Login(HOME, nowhere)), f"the password of {HOME}"),
    ):
        link, ear = join(way, HOME)
        unreachable = await ear.next(Unreachable)
        assert unreachable.lasting
        assert says in unreachable.reason
        link.stop()


async def test_large_messages_pass_over_tls_in_both_directions(secured: Secured) -> None:
    gateway, above = join(secured.gateway(), HOME, *TREE.upper_filters(), receive_maximum=4, window=4)
    await above.next(Connected)
    device, below = join(secured.device("d1"), "d1", *TREE.lower_filters("d1"))
    await below.next(Connected)
    content = bytes(range(256)) * 1_000
    for number in range(8):
        assert device.send(number, TREE.topic("d1", Chunk), content)
        arrived = await above.next(Arrived)
        gateway.ack(arrived.token)
        assert gateway.send(number, TREE.topic("d1", Ask), arrived.payload)
        back = await below.next(Arrived)
        device.ack(back.token)
        assert back.payload == content
        await below.next(Published)
