"""A model of 1 MB on its way to a device, and the update on its way back, over a link that is as bad as a test says."""

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from folkmoot.link.broker import Broker, amqtt_broker, mosquitto_broker
from folkmoot.link.settings import Broker as Where
from tests.kit.broker import default_mosquitto, program
from tests.kit.cord import Shape, cord
from tests.kit.federation import Federation
from tests.kit.gate import gate
from tests.kit.processes import Process
from tests.kit.toy_device import ToyDevice

PARAMETERS = 250_000
MODEL = 4 * PARAMETERS  # bytes
# 1 Mbit/s, 40 ms there and back; and a link that drops every connection after 6 s besides.
SLOW = Shape(rate=125_000, latency=0.02)
BAD = replace(SLOW, reset_every=6.0)
DIALECTS = ("5", "3.1.1", "amqtt")  # Mosquitto in both versions of MQTT, and another broker in the older one
THRICE = (0.2, 0.5, 0.8)  # when a device reboots


@dataclass(frozen=True, slots=True)
class Carried:
    """What crossed the link of the device, from its first connection to the end of the run."""

    down: int  # bytes of TCP payload: MQTT's framing, repetitions and whatever else was said are in it
    up: int
    connections: int
    model: str  # sha256 of the model that came of it

    @property
    def ratios(self) -> tuple[float, float]:
        """Bytes down and up over those of the model."""
        return self.down / MODEL, self.up / MODEL


@asynccontextmanager
async def _home(dialect: str, folder: Path) -> AsyncIterator[tuple[Broker, int]]:
    """Gives a home's broker, and the port at which its devices find it."""
    makers = {"amqtt": amqtt_broker, "defaults": default_mosquitto}
    make = makers.get(dialect, lambda folder: mosquitto_broker(program(), "home", folder))
    with make(folder) as broker:
        if dialect == "3.1.1":
            async with gate(broker.port) as port:
                yield broker, port
        else:
            yield broker, broker.port


async def carry(
    folder: Path, dialect: str, shape: Shape, down: Sequence[float] = (), up: Sequence[float] = (), above: Sequence[float] = ()
) -> Carried:
    """Does one round with one device behind such a link; it and its gateway are processes.

    `dialect` is one of DIALECTS, or `defaults`: Mosquitto with its default limits. The device is killed and started again when
    so much of the model has come `down`, and so much of its update gone `up`, as fractions of the model; the gateway when
    so much of the update has gone by `above`.
    """
    async with AsyncExitStack() as stack:
        cloud = stack.enter_context(mosquitto_broker(program(), "cloud", folder / "broker-cloud"))
        home, port = await stack.enter_async_context(_home(dialect, folder / "broker-home"))
        federation = await stack.enter_async_context(Federation(folder / "run", cloud, {}, {}, parameters=PARAMETERS))
        wire = await stack.enter_async_context(cord(port, shape))
        where = Where(port=wire.port)
        settings = ToyDevice(name="d", folder=folder / "d", gateway="g1", home=where, parameters=PARAMETERS)
        device = stack.enter_context(_running("d", settings.command, folder))
        gateway = stack.enter_context(_running("g1", _gateway(folder, cloud, home), folder))
        await federation.up(1)
        run = await federation.launch(rounds=1, evaluate=False, deadline_seconds=600)
        said = wire.downward, wire.upward
        for victim, parts, way in ((device, down, 0), (device, up, 1), (gateway, above, 1)):
            for part in parts:
                while (wire.downward, wire.upward)[way] - said[way] < part * MODEL:
                    await federation.event()
                victim.kill()
                victim.start()
        found = await federation.run(run)
        assert found["outcome"] == "completed", found
        model = (await federation.api.get(f"/v1/models/{found['model']}")).json()["model_sha256"]
        return Carried(wire.downward, wire.upward, wire.connections, str(model))


@contextmanager
def _running(name: str, command: list[str], folder: Path) -> Iterator[Process]:
    process = Process(name, command, folder)
    process.start()
    try:
        yield process
    finally:
        process.stop()


def _gateway(folder: Path, cloud: Broker, home: Broker) -> list[str]:
    file = folder / "g1.toml"
    file.write_text(f'id = "g1"\nfolder = "{folder / "g1"}"\n[cloud]\nport = {cloud.port}\n[home]\nport = {home.port}\n')
    return [sys.executable, "-m", "folkmoot_gateway", "--config", str(file)]
