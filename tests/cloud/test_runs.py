import asyncio
from typing import Any

import msgspec
import pytest

from folkmoot.wire.messages import Offline
from folkmoot_cloud.clock import now
from folkmoot_cloud.runs import progress, repository
from folkmoot_cloud.tenants.service import MAIN
from tests.kit import parcels
from tests.kit.cloud import Cloud


async def test_a_run_is_shown_as_it_was_asked_for_with_the_defaults_filled_in(cloud: Cloud) -> None:
    task = await cloud.task()
    await cloud.meet("g1", "d1", "d2")
    asked = {
        "name": "first try",
        "task": "toy",
        "strategy": {"name": "fedprox", "options": {"mu": 0.5}},
        "cohort": {"devices": 2, "gateways": ["g1"]},
        "rounds": 3,
        "plan": {"epochs": 7, "learning_rate": 0.25},
        "min_answers": 2,
        "deadline_seconds": 30.5,
        "over_selection": 1.5,
        "evaluate": False,
        "precision": {"scale": 20, "bound": 8.0, "cap": 500, "total": 1_000_000},
    }
    response = await cloud.client.post("/v1/runs", json=asked)
    assert response.status_code == 201
    run = response.json()
    assert response.headers["location"] == f"/v1/runs/{run['id']}"
    same = (
        "name",
        "strategy",
        "cohort",
        "rounds",
        "min_answers",
        "deadline_seconds",
        "over_selection",
        "evaluate",
        "precision",
    )
    assert {name: run[name] for name in same} == {name: asked[name] for name in same}
    assert run["task"] == {"id": task["id"], "name": "toy", "version": "1"}
    assert run["plan"] == {
        "epochs": 7,
        "steps": 0,
        "learning_rate": 0.25,
        "proximal": 0.0,
        "max_examples": 0,
        "seed": 0,
        "only": [],
    }
    state = {"status": "pending", "desired": "run", "outcome": None, "reason": "", "done": 0, "model": None}
    assert {name: run[name] for name in state} == state
    assert await cloud.json(f"/v1/runs/{run['id']}") == run
    assert await cloud.json("/v1/runs") == {"items": [run], "next": None}
    assert cloud.engine.notified == [run["id"]]


async def test_a_run_may_say_what_members_do_that_cannot_be_reached(cloud: Cloud) -> None:
    assert (await cloud.run())["offline"] is None
    run = await cloud.run(offline={"rounds": 3, "hours": 0.5})
    policy = {"staleness": 4, "discount": 0.5, "rounds": 3, "seconds": 1800}
    assert run["offline"] == policy
    assert msgspec.convert((await cloud.row(run["id"])).offline, Offline) == Offline(**policy)


async def test_a_run_may_be_asynchronous(cloud: Cloud) -> None:
    assert (await cloud.run())["buffer"] is None
    run = await cloud.run(buffer=10, offline={"staleness": 200})
    assert run["buffer"] == (await cloud.row(run["id"])).buffer == 10


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"buffer": 1}, "buffer needs offline"),
        ({"buffer": 1, "offline": {}, "over_selection": 1.5}, "buffer and over_selection exclude each other"),
        ({"buffer": 1, "offline": {}, "min_answers": 2}, "min_answers is 2, but a version is made of 1 (buffer)"),
    ],
)
async def test_an_asynchronous_run_that_cannot_be_is_refused(cloud: Cloud, fields: dict[str, Any], says: str) -> None:
    response = await cloud.client.post("/v1/runs", json={"task": (await cloud.task())["id"], **fields})
    assert response.status_code == 422
    assert says in response.text


async def test_a_run_says_how_its_updates_travel(cloud: Cloud) -> None:
    assert (await cloud.run())["transform"] is None
    run = await cloud.run(transform="int8")
    assert run["transform"] == (await cloud.row(run["id"])).transform == "int8"
    response = await cloud.client.post("/v1/runs", json={"task": (await cloud.task())["id"], "transform": "int4"})
    assert response.status_code == 422
    assert "there is no transform 'int4'; there are int8" in response.text


@pytest.mark.parametrize("wrong", [{"staleness": 1001}, {"rounds": -1}, {"discount": 2.1}, {"hours": 1000}, {"days": 1}])
async def test_a_policy_that_cannot_be_is_refused(cloud: Cloud, wrong: dict[str, float]) -> None:
    response = await cloud.client.post("/v1/runs", json={"task": (await cloud.task())["id"], "offline": wrong})
    assert response.status_code == 422


async def test_little_need_be_said(cloud: Cloud) -> None:
    run = await cloud.run()
    assert (run["name"], run["strategy"], run["cohort"], run["rounds"]) == ("toy", {"name": "fedavg", "options": {}}, {}, 10)
    assert (run["min_answers"], run["over_selection"], run["evaluate"]) == (1, 1.0, True)
    (model,) = (await cloud.json("/v1/models"))["items"]
    assert run["base_model"] == model["id"]


async def test_a_run_may_start_from_any_version_of_its_task(cloud: Cloud) -> None:
    first = await cloud.run()
    learnt = await cloud.round(first["id"], 1, seed=9)
    assert (await cloud.run(task="toy", start_from=learnt))["base_model"] == learnt


async def test_runs_are_listed_by_state_and_task(cloud: Cloud) -> None:
    first = await cloud.run(task=(await cloud.task(1))["id"])
    second = await cloud.run(task=(await cloud.task(2))["id"])
    await cloud.round(first["id"], 1)
    assert [run["id"] for run in (await cloud.json("/v1/runs"))["items"]] == [second["id"], first["id"]]
    assert [run["id"] for run in (await cloud.json("/v1/runs", status="running"))["items"]] == [first["id"]]
    assert [run["id"] for run in (await cloud.json("/v1/runs", task=second["task"]["id"]))["items"]] == [second["id"]]
    assert (await cloud.client.get("/v1/runs", params={"status": "dreaming"})).status_code == 422


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"task": "nothing"}, "there is no task 'nothing': upload its bundle first"),
    ({"strategy": {"name": "fedsgd"}}, "there is no strategy 'fedsgd'; there are fedavg, "),
    ({"strategy": {"name": "fedprox", "options": {"mu": "much"}}}, "mu is 'much'; it takes 0 <= number"),
    ({"strategy": {"name": "fedavg", "options": {"speed": 3}}}, "strategy fedavg"),
    ({"strategy": {"name": "fedavg", "options": {"a": [1]}}}, "body/strategy/options/a: Value error, must be true, false, a"),
    ({"precision": {"scale": 52}}, "do not go together: sums could pass 2^53"),
    ({"precision": {"cap": 1 << 30}, "cohort": {"devices": 10}}, "lower the cap, or raise the total"),
    ({"min_answers": 5, "cohort": {"devices": 4}}, "min_answers is 5, but the cohort has 4 devices"),
    ({"min_answers": 3, "cohort": {"devices": ["d1", "d2"]}}, "min_answers is 3, but the cohort has 2 devices"),
    ({"cohort": {"gateways": ["g1", "g7"]}}, "gateway g7 is not known: see GET /v1/gateways"),
    ({"cohort": {"devices": ["d1", "d9"]}}, "device d9 is not known"),
    ({"cohort": {"devices": 3, "fraction": 0.5}}, "devices and fraction exclude each other"),
    ({"cohort": {"fraction": 0}}, "greater than 0"),
    ({"cohort": {"fraction": 1.01}}, "less than or equal to 1"),
    ({"cohort": {"devices": 0}}, "greater than or equal to 1"),
    ({"cohort": {"devices": []}}, "at least 1 item"),
    ({"cohort": {"gateways": []}}, "at least 1 item"),
    ({"start_from": "nothing"}, "there is no model 'nothing' to start from"),
    ({"rounds": 0}, "body/rounds: "),
    ({"rounds": 1.5}, "body/rounds: "),
    ({"rounds": True}, "body/rounds: "),
    ({"rounds": 1 << 70}, "body/rounds: "),
    ({"over_selection": 0.9}, "body/over_selection: "),
    ({"deadline_seconds": 0}, "body/deadline_seconds: "),
    ({"min_answers": 0}, "body/min_answers: "),
    ({"plan": {"epochs": -1}}, "body/plan/epochs: "),
    ({"plan": {"learning_rate": 0}}, "body/plan/learning_rate: "),
    ({"plan": {"epoch": 1}}, "body/plan/epoch: "),
    ({"plan": {"only": ["head"]}}, "task toy does not train head: plan.only takes some of bias, kernel"),
    ({"plan": {"only": [""]}}, "body/plan/only/0: "),
    ({"round": 3}, "body/round: "),
    ({"name": "a\nb"}, "on one line"),
    ({"name": "x" * 101}, "body/name: "),
    ({"task": "No Name"}, "body/task: "),
]


async def test_what_can_never_hold_is_refused_with_one_sentence(cloud: Cloud) -> None:
    await cloud.task()
    await cloud.meet("g1", "d1", "d2")
    for fields, sentence in IMPOSSIBLE:
        response = await cloud.client.post("/v1/runs", json={"task": "toy"} | fields)
        assert response.status_code == 422, fields
        assert response.headers["content-type"] == "application/problem+json"
        detail = response.json()["detail"]
        assert sentence in detail, fields
        assert "\n" not in detail
    assert (await cloud.json("/v1/runs"))["items"] == []
    assert cloud.engine.notified == []


async def test_a_version_of_another_task_is_no_start(cloud: Cloud) -> None:
    run = await cloud.run(task=(await cloud.task(1))["id"])
    await cloud.task(2, version="2")
    response = await cloud.client.post("/v1/runs", json={"task": "toy", "start_from": run["base_model"]})
    assert response.status_code == 422
    assert "start from one of the same task" in response.json()["detail"]


async def test_fewer_devices_than_the_cohort_wants_are_no_reason_to_refuse(cloud: Cloud) -> None:
    run = await cloud.run(cohort={"devices": 50}, min_answers=50)
    assert run["status"] == "pending"


async def test_what_operators_want_is_told_to_the_engine_and_the_status_is_left_to_it(cloud: Cloud) -> None:
    run = await cloud.run()
    path = f"/v1/runs/{run['id']}"
    wishes = []
    for verb, desired in (("pause", "pause"), ("pause", "pause"), ("resume", "run"), ("stop", "stop"), ("stop", "stop")):
        shown = await cloud.made(f"{path}/{verb}")
        assert (shown["desired"], shown["status"]) == (desired, "pending")
        wishes.append(desired)
    assert cloud.engine.notified == [run["id"]] * 4  # once created, and for each change
    for verb in ("pause", "resume", "rounds"):
        response = await cloud.client.post(f"{path}/{verb}")
        assert response.status_code == 409
        assert response.json()["detail"] == "the run is being stopped: wait until it is finished"


async def test_a_finished_run_is_neither_paused_nor_stopped(cloud: Cloud) -> None:
    run = await cloud.run()
    async with cloud.database.write() as session:
        assert await progress.finished(session, MAIN, run["id"], "failed", "no device is left", now())
    shown = await cloud.json(f"/v1/runs/{run['id']}")
    assert (shown["status"], shown["outcome"], shown["reason"]) == ("finished", "failed", "no device is left")
    assert shown["finished_at"] is not None
    for verb in ("pause", "resume", "stop"):
        response = await cloud.client.post(f"/v1/runs/{run['id']}/{verb}")
        assert response.status_code == 409
        assert "the run is finished (failed)" in response.json()["detail"]


async def test_a_round_by_hand_lengthens_a_run_that_goes_on(cloud: Cloud) -> None:
    run = await cloud.run(rounds=2)
    response = await cloud.client.post(f"/v1/runs/{run['id']}/rounds")
    assert response.status_code == 202
    assert response.json()["rounds"] == 3
    assert response.headers["location"] == f"/v1/runs/{run['id']}/rounds/3"
    assert (await cloud.client.get(response.headers["location"])).status_code == 404  # it has not begun


async def test_a_round_by_hand_takes_up_a_finished_run_again(cloud: Cloud) -> None:
    run = await cloud.run(rounds=2)
    for number in (1, 2):
        await cloud.round(run["id"], number, seed=number)
    async with cloud.database.write() as session:
        assert await progress.finished(session, MAIN, run["id"], "completed", "", now())
    shown = await cloud.made(f"/v1/runs/{run['id']}/rounds")
    assert (shown["status"], shown["outcome"], shown["rounds"], shown["done"]) == ("pending", None, 3, 2)
    assert (shown["desired"], shown["finished_at"]) == ("run", None)
    assert cloud.engine.notified[-1] == run["id"]


async def test_a_run_that_was_stopped_early_gets_the_next_round_and_not_all_that_were_left(cloud: Cloud) -> None:
    run = await cloud.run(rounds=10)
    await cloud.round(run["id"], 1, seed=1)
    await cloud.made(f"/v1/runs/{run['id']}/stop")
    async with cloud.database.write() as session:
        assert await progress.finished(session, MAIN, run["id"], "stopped", "by an operator", now())
    shown = await cloud.made(f"/v1/runs/{run['id']}/rounds")
    assert (shown["rounds"], shown["done"], shown["desired"]) == (2, 1, "run")


async def test_rounds_launched_at_once_are_all_had(cloud: Cloud) -> None:
    run = await cloud.run(rounds=1)
    answers = await asyncio.gather(*(cloud.client.post(f"/v1/runs/{run['id']}/rounds") for _ in range(8)))
    assert sorted(answer.json()["rounds"] for answer in answers) == list(range(2, 10))


async def test_what_is_not_there_is_not_found(cloud: Cloud) -> None:
    assert (await cloud.client.get("/v1/runs/nothing")).status_code == 404
    for verb in ("stop", "pause", "resume", "rounds"):
        assert (await cloud.client.post(f"/v1/runs/nothing/{verb}")).status_code == 404


# What the runner says.


async def test_a_run_is_not_completed_while_an_operator_wants_one_more_round(cloud: Cloud) -> None:
    run = await cloud.run(rounds=1)
    await cloud.round(run["id"], 1, seed=1)
    await cloud.made(f"/v1/runs/{run['id']}/rounds")
    async with cloud.database.write() as session:
        assert not await progress.finished(session, MAIN, run["id"], "completed", "", now())
    assert (await cloud.json(f"/v1/runs/{run['id']}"))["status"] == "running"
    await cloud.round(run["id"], 2, seed=2)
    async with cloud.database.write() as session:
        assert await progress.finished(session, MAIN, run["id"], "completed", "", now())
    shown = await cloud.json(f"/v1/runs/{run['id']}")
    assert (shown["status"], shown["outcome"], shown["done"], shown["bytes_up"]) == ("finished", "completed", 2, 200)


async def test_a_run_starts_once_and_is_paused_and_resumed(cloud: Cloud) -> None:
    run = await cloud.run()
    started = None
    for say, status in ((progress.started, "running"), (progress.paused, "paused"), (progress.started, "running")):
        async with cloud.database.write() as session:
            await say(session, MAIN, run["id"], now())
        shown = await cloud.json(f"/v1/runs/{run['id']}")
        assert shown["status"] == status
        started = started or shown["started_at"]
        assert shown["started_at"] == started
    async with cloud.database.write() as session:
        await progress.waits(session, MAIN, run["id"], "3 devices are ready; the run needs 8")
    assert (await cloud.json(f"/v1/runs/{run['id']}"))["reason"] == "3 devices are ready; the run needs 8"


async def test_the_runner_finds_what_is_not_finished(cloud: Cloud) -> None:
    await cloud.client.post("/v1/tasks", content=parcels.parcel())
    runs = [await cloud.run(task="toy") for _ in range(3)]
    async with cloud.database.write() as session:
        await progress.finished(session, MAIN, runs[1]["id"], "failed", "", now())
    async with cloud.database.read() as session:
        waiting = await repository.unfinished(session, MAIN)
    assert [run.id for run in waiting] == [runs[0]["id"], runs[2]["id"]]
    assert {(run.desired, run.rounds) for run in waiting} == {("run", runs[0]["rounds"])}
