"""What a node's place on a machine asks of its broker."""

import struct
from pathlib import Path

from folkmoot.link.settings import Broker as Where
from tests.kit.federation import DeviceService
from tests.kit.impostor import CONNECT, impostor


async def test_a_broker_is_asked_to_notice_a_silence_before_the_promised_keepalives_are_over(tmp_path: Path) -> None:
    async with impostor({}) as broker:
        device = DeviceService("d1", tmp_path, "g1", Where(port=broker.port, keepalive_seconds=30), parameters=10)
        device.start()
        try:
            connect = await broker.packet(CONNECT)
        finally:
            await device.stop()
        (asked,) = struct.unpack("!H", connect[8:10])
        assert asked == 25
        assert 1.5 * asked + 6 <= 1.5 * 30  # Mosquitto 2.0.11 notices up to six seconds late
