"""The device simulator: a hundred devices below one gateway, every one a real member that really trains."""

import signal
import sys
from pathlib import Path

import pytest

from folkmoot import tasks
from tests.kit.processes import Process, Town

DEVICES, ROUNDS = 100, 5


@pytest.mark.broker
def test_a_hundred_devices_on_one_gateway_answer_every_round_in_time(tmp_path: Path) -> None:
    with Town(tmp_path, {"home-1": []}) as town:
        place = f"127.0.0.1:{town.brokers['home-1'].port}"
        options = ["--gateway", place, "--devices", str(DEVICES), "--folder", str(tmp_path / "fleet")]
        fleet = Process("fleet", [sys.executable, "-m", "folkmoot_cli", "fleet", *options], tmp_path)
        fleet.start()
        try:
            town.up(DEVICES)
            run = town.launch(tasks.read("digits-mlp"), rounds=ROUNDS, min_answers=DEVICES)
            found = town.finished(run)
            assert (found["outcome"], found["done"]) == ("completed", ROUNDS)
            for one in town.get(f"/v1/runs/{run}/rounds")["items"]:
                assert (one["outcome"], one["reason"]) == ("complete", "all")
                assert one["devices"]["answered"] == DEVICES
            assert found["after"]["accuracy"] > 0.9
        finally:
            assert fleet.stop() == 0, fleet.said()


@pytest.mark.broker
def test_a_fleet_that_is_told_to_stop_says_goodbye_and_leaves_nobody_behind(tmp_path: Path) -> None:
    with Town(tmp_path, {"home-1": []}) as town:
        place = f"127.0.0.1:{town.brokers['home-1'].port}"
        options = ["--gateway", place, "--devices", "3", "--folder", str(tmp_path / "fleet")]
        fleet = Process("fleet", [sys.executable, "-m", "folkmoot_cli", "fleet", *options], tmp_path)
        fleet.start()
        town.up(3)
        assert fleet.stop(signal.SIGINT) == 0, fleet.said()
        town.until(lambda: len(town.get("/v1/devices", state="gone").get("items", [])) == 3)
