"""A recording of a real gateway, killed with -9 in mid-round, and of its cloud, at a real Mosquitto."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from folkmoot.flight.entry import Step
from folkmoot.flight.part import parts
from folkmoot.flight.recording import Gap, Recording
from tests.broker.test_round import brokers
from tests.kit.federation import Federation, GatewayService
from tests.kit.flight import replayed
from tests.kit.processes import Process

ROUNDS = 2


class Box(GatewayService):
    """A gateway that is a process of its own."""

    def __init__(self, service: GatewayService, folder: Path, flights: Path) -> None:
        super().__init__(service.settings.id, service.settings.folder, service.settings.cloud, service.settings.home)
        file = folder / "gateway.toml"
        ports = "".join(
            f"[{name}]\nport = {where.port}\n" for name, where in (("home", self.settings.home), ("cloud", self.settings.cloud))
        )
        file.write_text(f'id = "g1"\nfolder = "{self.settings.folder}"\nrecord = "{flights}"\n{ports}')
        self.process = Process("g1", [sys.executable, "-m", "folkmoot_gateway", "--config", str(file)], folder)

    def start(self) -> None:
        """Begins."""
        self.process.start()

    async def stop(self) -> None:
        """Ends in order."""
        await asyncio.to_thread(self.process.stop)


def answers(flight: Path) -> int:
    """Gives how many answers of devices a gateway has kept, as its recording has it."""
    records = Recording(flight) if flight.exists() else ()
    steps = [one.entry for one in records if not isinstance(one, Gap)]
    return sum(step.shape[2] for step in steps if isinstance(step, Step))


@pytest.mark.broker
async def test_what_was_recorded_over_a_death_in_mid_round_replays_to_the_same_models(tmp_path: Path) -> None:
    flights = tmp_path / "flights"
    with brokers("mosquitto", tmp_path) as (broker, homes):
        federation = Federation(tmp_path / "run", broker, {"g1": homes["g1"]}, {"g1": ["a", "b"]}, parameters=20_000)
        federation.settings = msgspec.structs.replace(federation.settings, record=flights)
        box = federation.gateways["g1"] = Box(federation.gateways["g1"], tmp_path, flights)
        slow = federation.devices["b"]
        async with federation:
            await federation.up()
            slow.done.clear()
            run = await federation.launch(rounds=ROUNDS)
            while not answers(flights / "gateway-g1"):  # that of the other device
                await federation.event()
            box.process.kill()
            box.start()
            slow.done.set()
            assert (await federation.run(run))["outcome"] == "completed"
            models = (await federation.api.get("/v1/models", params={"run": run})).json()["items"]
            assert "recording is on" in box.process.said()
    home, top = replayed(flights / "gateway-g1"), replayed(flights / "cloud-cloud")

    assert (home.lives, top.lives) == (2, 1)
    assert (home.notes, top.notes) == ([], [])
    assert {one.verdict for one in home.rounds + top.rounds} == {"same"}
    assert [one.then.answers for one in home.rounds if one.then.phase == "train"] == [2, 2]
    assert [one.then.sha256.hex() for one in top.rounds] == [
        one["model_sha256"] for one in sorted(models, key=lambda one: one["version"])
    ]
    for flight in flights.iterdir():
        assert flight.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for _, path in parts(flight)} == {0o600}
