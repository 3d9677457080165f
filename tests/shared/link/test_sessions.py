"""What a broker keeps for a client, and what a client subscribes to, over real connections."""

from pathlib import Path

import pytest

from folkmoot.link.broker import Broker
from folkmoot.link.face import (
    Arrived,
    Connected,
    Disconnected,
    Published,
    Stopped,
    Unreachable,
)
from folkmoot.link.mqtt import MqttLink
from tests.kit.broker import endpoint
from tests.kit.ear import Ear, join

pytestmark = pytest.mark.broker
ROOT = Path(__file__).resolve().parents[3]


async def test_a_kept_session_queues_for_a_client_that_is_away(mosquitto: Broker) -> None:
    first, ear = join(endpoint(mosquitto), "member", "t")
    assert not (await ear.next(Connected)).resumed
    first.stop()
    await first.stopped()
    sender, said = join(endpoint(mosquitto), "sender")
    await said.next(Connected)
    sender.send(1, "t", b"while you were away")
    await said.next(Published)

    _, ear = join(endpoint(mosquitto), "member", "t")
    assert (await ear.next(Connected)).resumed
    assert (await ear.next(Arrived)).payload == b"while you were away"


async def test_a_session_that_is_not_kept_is_forgotten(mosquitto: Broker) -> None:
    for _ in range(2):
        link, ear = join(endpoint(mosquitto), "member", "t", keep=False)
        assert not (await ear.next(Connected)).resumed
        link.stop()
        await link.stopped()


async def test_a_new_process_subscribes_to_what_its_program_wants_now(mosquitto: Broker) -> None:
    old, ear = join(endpoint(mosquitto), "member", "old")
    await ear.next(Connected)
    old.stop()
    await old.stopped()
    new, ear = join(endpoint(mosquitto), "member", "old", "new")
    assert (await ear.next(Connected)).resumed
    new.send(1, "new", b"x")
    assert (await ear.next(Arrived)).topic == "new"


async def test_a_link_may_change_what_it_subscribes_to(mosquitto: Broker) -> None:
    link, heard = join(endpoint(mosquitto), "receiver", "old/+", "both/+")
    await heard.next(Connected)
    sender, said = join(endpoint(mosquitto), "sender")
    await said.next(Connected)

    link.subscribe(("both/+", "new/+"))
    await settled(sender, said, "new/x", heard=True)
    await settled(sender, said, "old/x", heard=False)
    assert sender.send("kept", "both/x", b"kept")
    await heard.next(Arrived, lambda event: event.payload == b"kept")


async def settled(sender: MqttLink, said: Ear, topic: str, *, heard: bool) -> None:
    """Says something until somebody hears it, or nobody: a subscription is not there before the broker has it."""
    while True:
        sender.send(topic, topic, b"")
        if (await said.next(Published)).heard == heard:
            return


@pytest.mark.parametrize("remembers", [True, False])
async def test_a_change_of_subscriptions_outlives_the_connection_that_it_was_made_on(
    mosquitto: Broker, remembers: bool
) -> None:
    link, heard = join(endpoint(mosquitto), "receiver", "old/+")
    await heard.next(Connected)
    if remembers:
        mosquitto.stop()
    else:
        mosquitto.kill()
    await heard.next(Disconnected)
    link.subscribe(("new/+",))  # there is no connection now
    mosquitto.start()
    assert (await heard.next(Connected)).resumed == remembers
    sender, said = join(endpoint(mosquitto), "sender")
    await said.next(Connected)
    await settled(sender, said, "new/x", heard=True)
    await settled(sender, said, "old/x", heard=False)


async def test_what_an_earlier_process_subscribed_to_is_given_up(mosquitto: Broker) -> None:
    before, ear = join(endpoint(mosquitto), "receiver", "all/+", "some/a")
    await ear.next(Connected)
    before.stop()
    await ear.next(Stopped)
    _, heard = join(endpoint(mosquitto), "receiver", "some/a", former=("all/+", "some/a", "some/b"))
    assert (await heard.next(Connected)).resumed
    sender, said = join(endpoint(mosquitto), "sender")
    await said.next(Connected)
    await settled(sender, said, "all/x", heard=False)
    await settled(sender, said, "some/a", heard=True)


async def test_a_broker_that_was_killed_is_found_again_and_subscribed_anew(mosquitto: Broker) -> None:
    link, ear = join(endpoint(mosquitto), "member", "t")
    await ear.next(Connected)
    mosquitto.kill()
    await ear.next(Disconnected)
    assert link.free == 0
    assert not link.send(1, "t", b"x")
    await ear.next(Unreachable)
    mosquitto.start()
    assert not (await ear.next(Connected)).resumed
    link.send(2, "t", b"x")
    assert (await ear.next(Arrived)).payload == b"x"


async def test_a_broker_that_was_restarted_in_order_still_knows_the_session(mosquitto: Broker) -> None:
    _, ear = join(endpoint(mosquitto), "member", "t")
    await ear.next(Connected)
    mosquitto.stop()
    await ear.next(Disconnected)
    mosquitto.start()
    assert (await ear.next(Connected)).resumed
