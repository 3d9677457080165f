"""A home that has lost its cloud, over real brokers and with a real database; only the training is made up."""

from pathlib import Path

import msgspec
import pytest

from folkmoot.link.settings import Broker as Where
from tests.broker.test_round import brokers
from tests.kit.cord import cord
from tests.kit.federation import Federation


@pytest.mark.broker
async def test_an_answer_that_comes_when_its_round_is_over_is_on_record_where_it_counts(tmp_path: Path) -> None:
    with brokers("mosquitto", tmp_path) as (broker, homes):
        async with cord(broker.port) as uplink:
            federation = Federation(tmp_path / "run", broker, {"g1": homes["g1"]}, {"g1": ["a", "b"]})
            gateway, device = federation.gateways["g1"], federation.devices["a"]
            gateway.settings = msgspec.structs.replace(gateway.settings, cloud=Where(port=uplink.port, keepalive_seconds=30))
            async with federation:
                await federation.up()
                device.done.clear()
                run = await federation.launch(rounds=3, deadline_seconds=4, offline={"staleness": 3})
                path = f"/v1/runs/{run}/rounds"
                while not device.trained:
                    await federation.event()
                uplink.hold()
                uplink.cut()
                device.done.set()
                while not any(one["status"] == "closed" for one in (await federation.api.get(path)).json()["items"]):
                    await federation.event()
                uplink.mend()
                assert (await federation.run(run))["outcome"] == "completed"
                first, second, third = (await federation.api.get(path)).json()["items"]
    assert (first["outcome"], first["belated"]) == ("short", [])
    assert second["belated"] == [{"gateway": "g1", "asked": 1, "local": 0, "factor": 1.0, "devices": 2}]
    assert second["gateways"]["answered"] == 1
    assert third["belated"] == []
