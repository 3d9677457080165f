"""Brokers that drop what they have acknowledged, as Mosquitto does beyond its limits."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from folkmoot.hop.transfers import AHEAD
from folkmoot.link.broker import Broker, free_port
from folkmoot.link.face import Arrived
from folkmoot.link.settings import Broker as Where
from tests.broker.test_round import learnt, model
from tests.kit import broker as kit
from tests.kit.cord import cord
from tests.kit.ear import Ear, join
from tests.kit.federation import Federation, GatewayService
from tests.scenarios import oracle

DEVICES = [f"d{number:02}" for number in range(36)]
PARAMETERS = 250_000  # 62 pieces each, of which an upper end asks for 6 MiB at once
ROOM = 60  # messages that wait for the gateway: less than are on their way, which the limits that come with us are not
AT_ONCE = AHEAD // (4 * PARAMETERS)  # devices that may send at once
DROPPED = "$SYS/broker/publish/messages/dropped"
PATIENCE = 120.0  # seconds in which everything is said to the broker


def listen(stack: AsyncExitStack, broker: Broker, topic: str) -> Ear:
    """Gives an ear for a topic; it needs no acknowledgement."""
    link, ear = join(kit.endpoint(broker), f"ear-{len(topic)}", topic, receive_maximum=1_000)
    stack.callback(link.stop)
    return ear


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.timeout(400)
async def test_what_a_queue_had_no_room_for_comes_again_and_the_model_is_the_same(tmp_path: Path) -> None:
    port = free_port()
    limits = f"listener {port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\nmax_queued_messages {ROOM}\n"
    async with AsyncExitStack() as stack:
        cloud = stack.enter_context(kit.mosquitto_broker(kit.program(), "cloud", tmp_path / "broker-cloud"))
        home = stack.enter_context(kit.run(tmp_path, port, limits))
        wire = await stack.enter_async_context(cord(home.port))
        federation = Federation(tmp_path / "run", cloud, {"g1": home}, {"g1": DEVICES}, parameters=PARAMETERS)
        above, below = Where(port=cloud.port), Where(port=wire.port)
        federation.gateways["g1"] = GatewayService("g1", tmp_path / "run" / "g1", above, below)
        await stack.enter_async_context(federation)
        for device in federation.devices.values():
            device.done.clear()
        await federation.up()
        run = await federation.launch(rounds=1, evaluate=False, deadline_seconds=600)
        while not all(device.trained for device in federation.devices.values()):
            await federation.event()
        loss = listen(stack, home, DROPPED)
        before = int((await loss.next(Arrived)).payload)  # statuses of all that came up at once
        receipts = listen(stack, home, "fl/v1/h/g1/+/dn/rcp")
        for device in federation.devices.values():
            device.done.set()
        told: set[str] = set()
        while len(told) < AT_ONCE:  # `need`: from now on there are pieces of all of these on the way
            told.add((await receipts.next(Arrived)).topic)
        wire.hold()  # the gateway has stopped; its home goes on
        await loss.next(Arrived, lambda said: int(said.payload) > before, patience=PATIENCE)
        wire.mend()
        assert (await federation.run(run))["outcome"] == "completed"
        assert await learnt(federation, run, 1) == DEVICES
        assert await model(federation, run) == oracle.chain((tuple(DEVICES),), PARAMETERS)[0]
