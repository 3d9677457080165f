"""Taking a device out of open rounds: what the API takes, and what the runner finds of it."""

from datetime import timedelta

import pytest

from folkmoot_cloud.clock import now
from folkmoot_cloud.contributions import repository
from folkmoot_cloud.rounds import progress
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner import load
from folkmoot_cloud.tenants.service import MAIN
from tests.kit.cloud import Cloud

PATH = "/v1/devices/d1/contributions"
ASKED = [Fate("g1"), Fate("g1", "d1"), Fate("g1", "d2")]


async def opened(cloud: Cloud, number: int = 1) -> str:
    """Gives a run whose round is open and has asked d1 and d2."""
    await cloud.meet("g1", "d1", "d2")
    run = (await cloud.run(rounds=3))["id"]
    async with cloud.database.write() as session:
        await progress.opened(session, await cloud.row(run), number, number - 1, ASKED, now())
    return str(run)


async def test_a_device_is_taken_out_of_every_open_round_that_has_asked_it_and_the_runner_hears_of_it(cloud: Cloud) -> None:
    runs = sorted([await opened(cloud), await opened(cloud, number=2)])
    cloud.engine.notified.clear()
    response = await cloud.client.delete(PATH)
    assert response.status_code == 202
    said = response.json()
    assert said["device"] == "d1"
    assert [(one["run_id"], one["done_at"]) for one in said["rounds"]] == [(run, None) for run in runs]
    assert sorted(cloud.engine.notified) == runs
    async with cloud.database.read() as session:
        found = await repository.retractions(session, MAIN, runs)
        assert sorted((one.run_id, one.device) for one in found) == [(run, "d1") for run in runs]
        (wish, _) = await load.retractions(session, cloud.engine.context, MAIN, runs)
        assert wish.device == "d1"


async def test_taking_it_out_twice_is_taking_it_out(cloud: Cloud) -> None:
    run = await opened(cloud)
    first = await cloud.client.delete(PATH)
    assert (await cloud.client.delete(PATH)).json() == first.json()
    async with cloud.database.write() as session:
        row = await cloud.row(run)
        await progress.retracted(session, row, 1, "d1", ["g1"], None, now())
        await repository.retracted(session, MAIN, run, 1, "d1", now())
    again = await cloud.client.delete(PATH)
    assert again.status_code == 202
    assert again.json()["rounds"][0]["done_at"] is not None
    async with cloud.database.read() as session:
        assert await repository.retractions(session, MAIN, [run]) == []


async def test_the_record_says_who_was_taken_out(cloud: Cloud) -> None:
    run = await opened(cloud)
    row = await cloud.row(run)
    async with cloud.database.write() as session:
        await progress.told(session, row, 1, [Fate("g1", "", "answered")], now())
        await progress.retracted(session, row, 1, "d1", ["g1"], "g1", now())
    members = (await cloud.json(f"/v1/runs/{run}/rounds/1/members"))["items"]
    assert [(one["device"], one["fate"]) for one in members] == [(None, "asked"), ("d1", "retracted"), ("d2", "asked")]
    assert (await cloud.json(f"/v1/runs/{run}/rounds/1"))["devices"]["retracted"] == 1


async def test_what_a_closed_round_has_learnt_cannot_be_taken_back(cloud: Cloud) -> None:
    run = await opened(cloud)
    async with cloud.database.write() as session:
        await progress.closed(session, await cloud.row(run), 1, "complete", "all", now())
    response = await cloud.client.delete(PATH)
    assert response.status_code == 409
    assert response.json()["detail"] == (
        "no open round has asked d1: what closed rounds took from it is in their models, and stays there"
    )
    assert (await cloud.client.delete("/v1/devices/d2/contributions")).status_code == 409


async def test_a_device_that_nobody_knows_is_not_found(cloud: Cloud) -> None:
    assert (await cloud.client.delete("/v1/devices/nobody/contributions")).status_code == 404


async def test_an_answer_that_was_taken_out_may_come_again(cloud: Cloud) -> None:
    run = await opened(cloud)
    told = {"run_id": run, "number": 1, "asked": 1, "local": 0, "factor": 1024, "size": 9, "at": now()}
    async with cloud.database.write() as session:
        assert await repository.add(session, MAIN, ask=b"a" * 16, member="g1", payload=b"p" * 32, leaves=2, **told)  # type: ignore[arg-type]
        await repository.remove(session, MAIN, b"a" * 16, "g1")
        assert await repository.add(session, MAIN, ask=b"a" * 16, member="g1", payload=b"q" * 32, leaves=1, **told)  # type: ignore[arg-type]
    async with cloud.database.read() as session:
        assert [one.leaves for one in await repository.of_round(session, MAIN, run, 1)] == [1]


@pytest.mark.parametrize("later", [0, 5])
async def test_retractions_are_done_in_the_order_in_which_they_came(cloud: Cloud, later: int) -> None:
    run = await opened(cloud)
    at = now()
    async with cloud.database.write() as session:
        assert await repository.retract(session, MAIN, run, 1, "d2", at)
        assert await repository.retract(session, MAIN, run, 1, "d1", at + timedelta(seconds=later))
        assert not await repository.retract(session, MAIN, run, 1, "d1", at)
    async with cloud.database.read() as session:
        found = [one.device for one in await repository.retractions(session, MAIN, [run])]
    assert found == (["d2", "d1"] if later else ["d1", "d2"])


async def test_a_device_is_taken_out_of_the_round_that_a_belated_answer_with_it_counts_in(cloud: Cloud) -> None:
    run = await opened(cloud)
    await cloud.meet("g2", "d3")
    row = await cloud.row(run)
    told = {"run_id": run, "number": 2, "asked": 1, "local": 0, "factor": 724, "payload": b"p" * 32, "size": 9, "leaves": 2}
    async with cloud.database.write() as session:
        await progress.closed(session, row, 1, "complete", "all", now())
        await progress.opened(session, row, 2, 0, [Fate("g2")], now())
        await repository.add(session, MAIN, ask=b"a" * 16, member="g1", at=now(), **told)  # type: ignore[arg-type]
    response = await cloud.client.delete(PATH)
    assert response.status_code == 202
    assert [one["number"] for one in response.json()["rounds"]] == [2]
    async with cloud.database.write() as session:
        await repository.void(session, MAIN, b"a" * 16, "g1")
        assert not await repository.add(session, MAIN, ask=b"a" * 16, member="g1", at=now(), **told)  # type: ignore[arg-type]
    (late,) = (await cloud.json(f"/v1/runs/{run}/rounds/2"))["belated"]
    assert late["factor"] == 0
    assert (await cloud.client.delete(PATH)).json() == response.json()
    assert (await cloud.client.delete("/v1/devices/d3/contributions")).status_code == 409
