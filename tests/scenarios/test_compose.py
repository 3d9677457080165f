"""compose.yaml works: its services, started by their very commands and variables, see a run through on PostgreSQL."""

import asyncio
from pathlib import Path

import httpx
import pytest

from folkmoot import tasks
from tests.kit.composed import IMAGES, Composed
from tests.kit.postgres import Cluster

DEVICES, ROUNDS = 20, 2


@pytest.mark.broker
@pytest.mark.postgres
def test_the_services_of_the_compose_file_see_a_run_through(tmp_path: Path, postgres: Cluster) -> None:
    database = asyncio.run(postgres.create())
    with Composed(tmp_path, postgres.url(database)) as composed:
        composed.until(lambda: all(map(composed.well, IMAGES)))
        token = (tmp_path / "cloud" / "token").read_text().strip()
        place, headers = f"http://127.0.0.1:{composed.ports['cloud']}", {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=place, headers=headers, timeout=30) as api:
            task = api.post("/v1/tasks", content=tasks.read("digits-mlp")).raise_for_status().json()
            order = {"task": task["id"], "rounds": ROUNDS, "min_answers": DEVICES}
            run = api.post("/v1/runs", json=order).raise_for_status().json()["id"]
            composed.until(lambda: api.get(f"/v1/runs/{run}").json()["status"] == "finished")
            found = api.get(f"/v1/runs/{run}").json()
            rounds = api.get(f"/v1/runs/{run}/rounds").json()["items"]
    assert (found["outcome"], found["done"]) == ("completed", ROUNDS)
    assert [one["devices"]["answered"] for one in rounds] == [DEVICES] * ROUNDS
