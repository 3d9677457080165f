"""Kill -9 of a device, a gateway and the cloud in mid-round, each followed by a restart: real processes, real training."""

from pathlib import Path

import msgspec
import pytest

from folkmoot import tasks
from folkmoot.wire.messages import Plan
from tests.kit import retraining
from tests.kit.processes import Town

HOMES = {"g1": ["a", "b", "c"], "g2": ["d", "e", "f"]}
EVERYBODY = sorted(device for devices in HOMES.values() for device in devices)
ROUNDS = 8
EPOCHS = 60  # a round lasts about a second: there is a middle to kill in


@pytest.mark.broker
@pytest.mark.parametrize(
    "transform", [pytest.param(None, id="float32"), pytest.param("int8", id="int8", marks=pytest.mark.slow)]
)
def test_a_run_survives_the_death_of_a_device_a_gateway_and_the_cloud(tmp_path: Path, transform: str | None) -> None:
    task = tasks.read("digits-mlp")
    with Town(tmp_path, HOMES) as town:
        town.up(6)
        run = town.launch(task, rounds=ROUNDS, plan={"epochs": EPOCHS}, deadline_seconds=60, transform=transform)

        def opened(number: int) -> bool:
            return bool(town.get(f"/v1/runs/{run}/rounds/{number}"))

        for number, victim in ((2, town.devices["a"]), (4, town.gateways["g1"]), (6, town.cloud)):
            town.until(lambda number=number: opened(number))  # type: ignore[misc]
            victim.kill()
            victim.start()
            town.up(6)

        found = town.finished(run)
        assert (found["outcome"], found["done"]) == ("completed", ROUNDS)
        rounds = {one["number"]: one for one in town.get(f"/v1/runs/{run}/rounds", limit=100)["items"]}
        members = {number: town.members(run, number) for number in rounds}
        for number in rounds:
            assert set(members[number]) <= set(EVERYBODY)
            assert all(one["fate"] in ("answered", "silent", "late", "refused") for one in members[number].values())
        answered = {
            number: sorted(name for name, one in members[number].items() if one["fate"] == "answered") for number in rounds
        }
        assert sum(map(len, answered.values())) >= ROUNDS * len(EVERYBODY) - 6  # nobody but the dead missed anything

        # The record says who is in each model: trained again from that alone, every model is the same to the bit.
        plan = msgspec.convert(found["plan"], Plan)
        stores = {name: tmp_path / name / "examples.db" for name in EVERYBODY}
        learnt = {number: answered[number] if rounds[number]["model"] else [] for number in rounds}
        expected = retraining.models(tmp_path, task, plan, learnt, stores, transform=transform)
        models = town.get("/v1/models", run=run, limit=100)["items"]
        shas = {one["id"]: one["model_sha256"] for one in models}
        assert {number: shas[one["model"]] for number, one in rounds.items() if one["model"]} == {
            number: expected[number] for number, one in rounds.items() if one["model"]
        }
