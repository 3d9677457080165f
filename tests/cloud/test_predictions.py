from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from folkmoot_cloud.clock import now
from folkmoot_cloud.contributions import repository as contributions
from folkmoot_cloud.predictions import repository
from folkmoot_cloud.rounds import progress as rounds
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runs import progress as runs
from folkmoot_cloud.tenants.service import MAIN
from tests.kit.cloud import Cloud

HOMES = {"g1": ("d1", "d2"), "g2": ("d3",)}
STEPS = 5  # of 40 examples in batches of 8
UP, DOWN = 5_000, 6_000  # between homes and cloud, payloads of a round
TOTAL_UP, TOTAL_DOWN = 8_000, 9_000  # with what went between devices and gateways


async def meet(cloud: Cloud) -> None:
    """Has the homes come up."""
    for gateway, devices in HOMES.items():
        await cloud.meet(gateway, *devices)


async def play(cloud: Cloud, run_id: str, number: int, *, fates: Any = None, seconds: float = 4.0, fresh: bool = False) -> None:
    """Plays a round in which d1 to d3 train for 1 to 3 s, and homes take half a second more; `fresh`: and fetch the program."""
    run = await cloud.row(run_id)
    program = run.task.program_size * fresh
    became = fates or [
        Fate("g1", "", "answered", "", UP // 2, DOWN // 2 + program, 2.5),
        Fate("g1", "d1", "answered", train_seconds=1.0, steps=STEPS),
        Fate("g1", "d2", "answered", train_seconds=2.0, steps=STEPS),
        Fate("g2", "", "answered", "", UP // 2, DOWN // 2 + program, 3.5),
        Fate("g2", "d3", "answered", train_seconds=3.0, steps=STEPS),
    ]
    down = TOTAL_DOWN + 5 * program
    began = now()
    async with cloud.database.write() as session:
        await runs.started(session, MAIN, run_id, began)
        await rounds.opened(session, run, number, number - 1, [Fate(one.gateway, one.device) for one in became], began)
        await rounds.told(session, run, number, became, began)
        over = began + timedelta(seconds=seconds)
        await rounds.closed(session, run, number, "complete", "all", over, bytes_up=TOTAL_UP, bytes_down=down)


async def stream(cloud: Cloud, run_id: str) -> None:
    """Plays three versions: g1 answers after 2.5 s, g2 after 3.5 s, then g1 again; in the end g2 is at work."""
    run, began = await cloud.row(run_id), now()
    versions = (
        (
            0.0,
            2.5,
            (Fate("g1", "", "answered", "", UP // 2, DOWN // 2, 2.5), Fate("g2", "", "late", "goal", 0, DOWN // 2)),
            None,
        ),
        (2.5, 3.5, (Fate("g1", "", "late", "goal", 0, DOWN // 2),), ("g2", 1)),
        (3.5, 5.0, (Fate("g2", "", "silent", "goal", 0, DOWN // 2),), ("g1", 2)),
    )
    jobs = {"d1": 1.0, "d2": 2.0, "d3": 3.0}
    for number, (start, end, homes, late) in enumerate(versions, 1):
        opened, over = began + timedelta(seconds=start), began + timedelta(seconds=end)
        fates = [replace(home, device=name) for home in homes for name in ("", *HOMES[home.gateway])]
        fates = [
            replace(one, bytes_up=0, bytes_down=0, seconds=None, train_seconds=jobs[one.device], steps=STEPS)
            if one.device and one.fate == "answered"
            else replace(one, bytes_down=0)
            if one.device
            else one
            for one in fates
        ]
        async with cloud.database.write() as session:
            await runs.started(session, MAIN, run_id, opened)
            await rounds.opened(session, run, number, number - 1, [Fate(one.gateway, one.device) for one in fates], opened)
            await rounds.told(session, run, number, fates, over)
            up = 1_000 + (UP // 2 if number == 1 else 0)
            down = 1_000 + len(homes) * (DOWN // 2)
            await rounds.closed(session, run, number, "complete", "goal", over, bytes_up=up, bytes_down=down)
            if late is not None:
                told = {"run_id": run_id, "number": number, "asked": late[1], "local": 0, "factor": 724, "payload": b"p" * 32}
                size = {"size": UP // 2, "leaves": len(HOMES[late[0]]), "at": over}
                await contributions.add(session, MAIN, ask=bytes([number]) * 16, member=late[0], **told, **size)
                worked = [Fate(late[0], name, train_seconds=jobs[name], steps=STEPS) for name in HOMES[late[0]]]
                await rounds.worked(session, run, late[1], worked)


async def predict(cloud: Cloud, task: str, **body: Any) -> Any:
    """Gives what is predicted."""
    response = await cloud.client.post("/v1/predictions", json={"task": task, **body})
    assert response.status_code == 200, response.text
    return response.json()


def is_exactly(spread: dict[str, float], value: float) -> None:
    assert list(spread.values()) == pytest.approx([value] * 3)


async def test_what_a_run_would_take_is_told_from_what_rounds_have_taken(cloud: Cloud) -> None:
    await meet(cloud)
    first = await cloud.run(rounds=2)
    for number in (1, 2):
        await play(cloud, first["id"], number, fresh=number == 1)
    found = await predict(cloud, "toy", rounds=10, evaluate=False, plan={"epochs": 2})
    assert found["task"] == first["task"]
    assert found["rounds"] == 10
    is_exactly(found["round"]["seconds"], 6.5)  # twice the steps
    is_exactly(found["run"]["seconds"], 65)
    is_exactly(found["run"]["bytes_up"], 10 * UP)
    is_exactly(found["round"]["bytes_down"], DOWN)
    is_exactly(found["round"]["home_bytes_up"], TOTAL_UP - UP)
    is_exactly(found["round"]["drop_outs"], 0)
    is_exactly(found["devices"]["answered"], 3)
    joules = 2 * 12 + 5 * (TOTAL_UP + TOTAL_DOWN - UP - DOWN) / 1e6
    is_exactly(found["round"]["joules"], joules)
    basis = found["basis"]
    assert (basis["rounds"], basis["measurements"], basis["own"], basis["homes"]) == (2, 6, 3, 2)
    assert found["deadlines"][-1]["deadline"] == 600
    assert found["advice"] == "a deadline shorter than 600 s would not pay off"
    assert any("2 W while a device trains and 5 J/MB" in note for note in found["notes"])
    assert any("only 2 rounds have been measured" in note for note in found["notes"])
    assert (await cloud.json("/v1/runs"))["items"] == [await cloud.json(f"/v1/runs/{first['id']}")]  # nothing was started


async def test_power_and_seed_are_the_requests(cloud: Cloud) -> None:
    await meet(cloud)
    run = await cloud.run()
    await play(cloud, run["id"], 1)
    wish = {"task": "toy", "rounds": 1, "evaluate": False}
    response = await cloud.client.post("/v1/predictions", json=wish, params={"watts": 7, "joules_per_mb": 0, "seed": 3})
    found = response.json()
    assert (found["watts"], found["joules_per_mb"], found["seed"]) == (7, 0, 3)
    is_exactly(found["run"]["joules"], 7 * 6)
    assert (await cloud.client.post("/v1/predictions", json=wish, params={"watts": -1})).status_code == 422


async def test_where_nothing_was_measured_it_is_said_what_to_do(cloud: Cloud) -> None:
    await meet(cloud)
    run = await cloud.run()
    silent = [Fate(gateway, device, "silent", "all") for gateway, below in HOMES.items() for device in ("", *below)]
    for fates in (None, silent):
        if fates is not None:
            await play(cloud, run["id"], 1, fates=fates)
        response = await cloud.client.post("/v1/predictions", json={"task": "toy"})
        assert response.status_code == 409
        assert "run one round of it first (folkmoot run start --task toy --rounds 1)" in response.json()["detail"]


async def test_a_run_that_would_wait_for_ever_is_said_to(cloud: Cloud) -> None:
    await meet(cloud)
    await play(cloud, (await cloud.run())["id"], 1)
    response = await cloud.client.post("/v1/predictions", json={"task": "toy", "min_answers": 4})
    assert response.status_code == 409
    assert "the run would wait: of 3 devices" in response.json()["detail"]


async def test_what_cannot_be_started_cannot_be_predicted(cloud: Cloud) -> None:
    await meet(cloud)
    await play(cloud, (await cloud.run())["id"], 1)
    for wrong, says in (
        ({"task": "nothing"}, "there is no task 'nothing'"),
        ({"strategy": {"name": "fedsgd"}}, "there is no strategy 'fedsgd'"),
        ({"cohort": {"gateways": ["g7"]}}, "gateway g7 is not known"),
        ({"rounds": 0}, "body/rounds: "),
        ({"buffer": 2}, "buffer needs offline"),
    ):
        response = await cloud.client.post("/v1/predictions", json={"task": "toy", **wrong})
        assert response.status_code == 422
        assert says in response.json()["detail"]


async def test_an_asynchronous_run_is_predicted_from_rounds_that_waited(cloud: Cloud) -> None:
    await meet(cloud)
    await play(cloud, (await cloud.run())["id"], 1)
    found = await predict(cloud, "toy", rounds=3, evaluate=False, buffer=2, offline={"staleness": 9})
    is_exactly(found["run"]["seconds"], 7.5)  # versions at 2.5 s of the first home, at 5 s of both, and at 7.5 s of the first
    assert found["devices"]["answered"] == {"p10": 2, "median": 2, "p90": 3}
    is_exactly(found["run"]["drop_outs"], 1)
    is_exactly(found["run"]["bytes_up"], 2 * UP)
    assert found["advice"] is None
    assert [one["deadline"] for one in found["deadlines"]] == [600]
    assert any("who is away" in note for note in found["notes"])
    assert not any("counted as drop-outs" in note for note in found["notes"])


async def test_an_asynchronous_run_is_a_past_with_all_of_its_answers(cloud: Cloud) -> None:
    await meet(cloud)
    run = await cloud.run(rounds=3, buffer=1, offline={"staleness": 9}, evaluate=False)
    await stream(cloud, run["id"])
    waits = await predict(cloud, "toy", rounds=2, evaluate=False)
    is_exactly(waits["run"]["seconds"], 7.0)  # the slower home has answered when its round was over
    is_exactly(waits["run"]["bytes_up"], 2 * UP)
    is_exactly(waits["run"]["home_bytes_up"], 2 * 3 * 3_000 / 5)  # of five answers
    is_exactly(waits["run"]["drop_outs"], 0)
    assert waits["basis"]["measurements"] == 5
    assert (waits["basis"]["own"], waits["basis"]["homes"]) == (3, 2)


async def test_an_asynchronous_run_is_compared_with_what_was_predicted(cloud: Cloud) -> None:
    await meet(cloud)
    await play(cloud, (await cloud.run())["id"], 1, fresh=True)
    run = await cloud.run(rounds=3, buffer=1, offline={"staleness": 9}, evaluate=False)
    await stream(cloud, run["id"])
    async with cloud.database.write() as session:
        await runs.finished(
            session, MAIN, run["id"], "completed", "", (await cloud.row(run["id"])).started_at + timedelta(seconds=5)
        )
    compared = (await cloud.json(f"/v1/runs/{run['id']}/prediction"))["compared"]
    found = {(one["scope"], one["figure"]): one for one in compared}
    for figure, value in (("seconds", 5.0), ("drop_outs", 1.0), ("bytes_up", 3 * UP // 2), ("bytes_down", 2 * DOWN)):
        assert found["run", figure]["measured"] == found["run", figure]["predicted"]["median"] == value, figure
    assert found["run", "home_bytes_up"]["measured"] == 3_000
    # Whoever is at work when the run is over has worked until then.
    joules = 2 * (1 + 2 + 3 + 1 + 2 + 1.5)
    assert found["run", "joules"]["measured"] == pytest.approx(joules + 5 * 6_000 / 1e6)
    assert found["round", "seconds"]["measured"] == 1.5


async def test_who_is_gone_is_not_counted_on(cloud: Cloud) -> None:
    await meet(cloud)
    await play(cloud, (await cloud.run())["id"], 1)
    await cloud.meet("g1", "d1")
    found = await predict(cloud, "toy", rounds=1, evaluate=False, cohort={"gateways": ["g1"]})
    is_exactly(found["devices"]["asked"], 1)
    is_exactly(found["run"]["seconds"], 1.5)


async def test_a_run_keeps_what_it_was_predicted_to_take_and_is_compared_with_it(cloud: Cloud) -> None:
    await meet(cloud)
    first = await cloud.run(rounds=1)
    assert await cloud.json(f"/v1/runs/{first['id']}/prediction") == {"predicted": None, "compared": []}
    await play(cloud, first["id"], 1)
    second = await cloud.run(rounds=2)
    path = f"/v1/runs/{second['id']}/prediction"
    kept = await cloud.json(path)
    is_exactly(kept["predicted"]["round"]["seconds"], 3.5)
    assert [one["deadline"] for one in kept["predicted"]["deadlines"]] == [600]
    assert kept["predicted"]["advice"] is None
    assert kept["compared"] == []
    await play(cloud, second["id"], 1, seconds=7.0)
    await play(
        cloud,
        second["id"],
        2,
        fates=[
            Fate("g1", "", "answered", "", UP // 2, DOWN // 2, 2.5),
            Fate("g1", "d1", "answered", train_seconds=1.0, steps=STEPS),
            Fate("g1", "d2", "late", "deadline"),
            Fate("g2", "", "late", "deadline", 0, DOWN // 2),
            Fate("g2", "d3", "late", "deadline"),
        ],
        seconds=7.0,
    )
    compared = {(one["scope"], one["figure"]): one for one in (await cloud.json(path))["compared"]}
    assert {scope for scope, _ in compared} == {"round"}  # it is not over
    assert compared["round", "seconds"]["measured"] == 7.0
    assert compared["round", "seconds"]["error_percent"] == -50
    assert not compared["round", "seconds"]["within"]
    assert compared["round", "drop_outs"]["measured"] == 1  # the median of 0 and 2
    async with cloud.database.write() as session:
        await runs.finished(session, MAIN, second["id"], "completed", "", now() + timedelta(seconds=20))
    whole = {one["figure"]: one for one in (await cloud.json(path))["compared"] if one["scope"] == "run"}
    assert whole["seconds"]["measured"] == pytest.approx(20, abs=5)
    assert whole["drop_outs"]["measured"] == 2
    assert whole["drop_outs"]["error_percent"] == -100
    assert whole["bytes_up"]["measured"] == UP + UP // 2
    below = (TOTAL_UP + TOTAL_DOWN) * 2 - (UP + UP // 2) - 2 * DOWN
    # Who was late is taken to have worked until its home was over, or the round.
    assert whole["joules"]["measured"] == pytest.approx(2 * (6 + 1 + 2.5 + 7) + 5 * below / 1e6, abs=1e-3)
    assert (await cloud.json(path))["predicted"] == kept["predicted"]


async def test_a_run_that_got_more_rounds_is_compared_by_the_round_alone(cloud: Cloud) -> None:
    await meet(cloud)
    await play(cloud, (await cloud.run(rounds=1))["id"], 1)
    run = await cloud.run(rounds=1)
    await cloud.made(f"/v1/runs/{run['id']}/rounds")
    for number in (1, 2):
        await play(cloud, run["id"], number)
    async with cloud.database.write() as session:
        await runs.finished(session, MAIN, run["id"], "completed", "", now())
    compared = (await cloud.json(f"/v1/runs/{run['id']}/prediction"))["compared"]
    assert {one["scope"] for one in compared} == {"round"}


async def test_only_rounds_with_the_same_program_tell(cloud: Cloud) -> None:
    await meet(cloud)
    await play(cloud, (await cloud.run())["id"], 1)
    again = await cloud.task(2)  # other weights of the same program
    is_exactly((await predict(cloud, again["id"], rounds=1, evaluate=False))["run"]["seconds"], 3.5)
    other = await cloud.task(3, batch=4)
    response = await cloud.client.post("/v1/predictions", json={"task": other["id"]})
    assert response.status_code == 409


async def test_history_is_looked_at_only_so_far(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    await meet(cloud)
    run = await cloud.run(rounds=9)
    for number in range(1, 5):
        await play(cloud, run["id"], number)
    program = (await cloud.json("/v1/tasks/toy"))["program"]
    for limits, kept in (
        ({}, [1, 2, 3, 4]),
        ({"ROUNDS": 3}, [2, 3, 4]),
        ({"MEMBERS": 10}, [3, 4]),
        ({"MEMBERS": 1}, [4]),
        ({"ROUNDS": 4}, [1, 2, 3, 4]),
    ):
        with monkeypatch.context() as patch:
            for name, value in limits.items():
                patch.setattr(repository, name, value)
            async with cloud.database.read() as session:
                found = await repository.rounds(session, MAIN, program)
        assert [one.number for one, _, _ in found.rounds] == kept
        assert all(len(members) == 5 for _, _, members in found.rounds)
        assert found.complete == (len(kept) == 4)


async def test_what_is_not_there_is_not_found(cloud: Cloud) -> None:
    assert (await cloud.client.get("/v1/runs/nothing/prediction")).status_code == 404
