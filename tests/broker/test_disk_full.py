"""Disks that are full, under real nodes at real brokers: the process lives, nothing is acknowledged that is not stored.

The disks are file systems of a few megabytes in memory; where none can be mounted, these tests are skipped.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from folkmoot.link.broker import Broker
from folkmoot.link.face import Arrived
from folkmoot.link.settings import Broker as Where
from folkmoot.serve.health import missing
from folkmoot.wire import bundle, codec
from folkmoot.wire.messages import Ask, Body, Get, Hello, Refuse, Request, Started, Status
from folkmoot.wire.topics import Tree
from tests.kit import asks, toy
from tests.kit.broker import endpoint
from tests.kit.disk import MakeDisk
from tests.kit.ear import join
from tests.kit.ends import message
from tests.kit.federation import DeviceService

TREE = Tree("fl", "g1")
PARAMETERS = 50
WEIGHTS = bytes(4 * PARAMETERS)
PROGRAM = bundle.dump(toy.program(PARAMETERS))
DEED = b"\7" * 16
AGAIN = 30.0  # seconds in which a node must have seen that there is room again: it looks every 5


class Above:
    """The upper end of device d1, played by a test: it sends nothing twice."""

    def __init__(self, broker: Broker) -> None:
        self.link, self.ear = join(endpoint(broker), "g1-down", *TREE.upper_filters(), receive_maximum=32, window=32)

    def say(self, body: Body, ask: bytes = DEED) -> None:
        """Sends the device a message, once."""
        left = 600_000 if isinstance(body, Ask) else None
        assert self.link.send(object(), TREE.topic("d1", type(body)), message("g1", "d1", body, ask, left))

    async def hear(self, kind: type[Body], when: Callable[[Any], bool] = lambda body: True, patience: float = AGAIN) -> Any:
        """Gives the next message of a kind from the device for which `when` holds."""
        found: list[Any] = []

        def wanted(event: Arrived) -> bool:
            self.link.ack(event.token)
            body = codec.unseal(event.payload, limit=1 << 20).body
            if isinstance(body, kind) and when(body):
                found.append(body)
            return bool(found)

        await self.ear.next(Arrived, wanted, patience)
        return found[0]


def the_ask() -> Ask:
    """Gives an Ask with all that it takes, which a device has to store before it replies."""
    sizes = {"size": len(WEIGHTS), "program_size": len(PROGRAM), "inline": WEIGHTS}
    return asks.ask(program=codec.digest(PROGRAM), weights=codec.digest(WEIGHTS), **sizes)


@asynccontextmanager
async def home(broker: Broker, folder: Path) -> AsyncIterator[tuple[DeviceService, Above]]:
    """Gives device d1, which is up and ready, and its upper end."""
    above = Above(broker)
    device = DeviceService("d1", folder, "g1", Where(port=broker.port), PARAMETERS)
    device.start()
    try:
        status = await above.hear(Status)
        assert status.state == "up"
        above.say(Request(what="hello"), b"")
        assert (await above.hear(Hello)).ready
        yield device, above
    finally:
        await device.stop()
        above.link.stop()
        await above.link.stopped()


@pytest.mark.broker
async def test_a_device_whose_disk_is_full_says_so_takes_nothing_and_goes_on_when_there_is_room(
    mosquitto: Broker, tmp_path: Path, make_disk: MakeDisk, caplog: pytest.LogCaptureFixture
) -> None:
    disk = make_disk(tmp_path / "d1", 4 << 20)
    with caplog.at_level(logging.WARNING):
        async with home(mosquitto, disk.folder) as (device, above):
            disk.fill()
            above.say(the_ask())
            hello = await above.hear(Hello)
            assert (hello.ready, hello.why_not) == (False, "no room on the disk")
            assert (await above.hear(Refuse)).reason == "no_room"
            assert missing(disk.folder) == [f"{disk.folder}: no room on the disk"]
            above.say(Request(what="hello"), b"")  # the connection is the one of before, and answers
            assert not (await above.hear(Hello)).ready

            disk.make_room()
            # It asks for the Ask that it has refused, which was sent once: the broker has it still, as it was never acknowledged.
            await above.hear(Get, lambda body: not body.blob)
            assert missing(disk.folder) == []
            above.say(Request(what="hello"), b"")
            assert (await above.hear(Hello)).ready
            above.say(the_ask())
            await above.hear(Started)
            assert device.running
    said = [record.getMessage() for record in caplog.records if record.name.startswith("folkmoot.serve")]
    assert [one for one in said if "disk" in one] == [
        "no room on the disk: nothing is taken in until that is over",
        "the disk does again",
    ]
