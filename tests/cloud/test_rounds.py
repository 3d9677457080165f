import asyncio

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from folkmoot_cloud.clock import now
from folkmoot_cloud.contributions import repository as contributions
from folkmoot_cloud.rounds import fates, progress
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runs import repository as runs
from folkmoot_cloud.tenants.service import MAIN
from tests.kit.cloud import Cloud

ASKED = [Fate("g1"), Fate("g1", "d1"), Fate("g1", "d2"), Fate("g2"), Fate("g2", "d3"), Fate("g3"), Fate("g3", "d4")]
BECAME = [
    Fate("g1", "", "answered", "", 400, 90, 1.5),
    Fate("g1", "d1", "answered", "", 100, 30, 1.0, 0.75, 12),
    Fate("g1", "d2", "rejected", "non_finite"),
    Fate("g2", "", "late", "deadline"),
    Fate("g2", "d3", "refused", "busy"),
]


async def test_the_record_of_a_round_tells_what_became_of_everybody(cloud: Cloud) -> None:
    run = await cloud.run(rounds=2)
    row = await cloud.row(run["id"])
    path = f"/v1/runs/{run['id']}/rounds/1"
    async with cloud.database.write() as session:
        await progress.opened(session, row, 1, 0, ASKED, now())
    shown = await cloud.json(path)
    assert (shown["status"], shown["outcome"], shown["seconds"], shown["model"]) == ("open", None, None, None)
    assert (shown["gateways"]["asked"], shown["gateways"]["waiting"]) == (3, 3)
    assert (shown["devices"]["asked"], shown["devices"]["waiting"]) == (4, 4)
    async with cloud.database.write() as session:
        await progress.told(session, row, 1, BECAME, now())
        await progress.closed(session, row, 1, "short", "deadline", now(), bytes_up=400, bytes_down=90)
        await progress.evaluated(session, row, 1, now(), loss=0.5, accuracy=0.75, examples=8, members=2)
    shown = await cloud.json(path)
    assert (shown["status"], shown["outcome"], shown["reason"]) == ("closed", "short", "deadline")
    assert (shown["bytes_up"], shown["bytes_down"]) == (400, 90)
    assert shown["seconds"] >= 0
    assert shown["evaluation"] == {"loss": 0.5, "accuracy": 0.75, "examples": 8, "members": 2}
    nobody = dict.fromkeys(("waiting", "answered", "refused", "rejected", "retracted", "late", "silent"), 0)
    assert shown["gateways"] == nobody | {"asked": 3, "answered": 1, "late": 1, "waiting": 1}
    assert shown["devices"] == nobody | {"asked": 4, "answered": 1, "rejected": 1, "refused": 1, "waiting": 1}
    assert (await cloud.json(f"/v1/runs/{run['id']}/rounds"))["items"] == [shown]


async def test_members_are_listed_gateway_by_gateway(cloud: Cloud) -> None:
    run = await cloud.run()
    await cloud.round(run["id"], 1, fates=ASKED)
    row = await cloud.row(run["id"])
    async with cloud.database.write() as session:
        await progress.told(session, row, 1, BECAME, now())
    path = f"/v1/runs/{run['id']}/rounds/1/members"
    listed = (await cloud.json(path))["items"]
    assert [(one["gateway"], one["device"]) for one in listed] == [(one.gateway, one.device or None) for one in ASKED]
    assert listed[0] == {
        "gateway": "g1", "device": None, "fate": "answered", "reason": "", "bytes_up": 400, "bytes_down": 90, "seconds": 1.5,
        "train_seconds": None, "steps": None,
    }  # fmt: skip
    assert (listed[1]["train_seconds"], listed[1]["steps"]) == (0.75, 12)
    assert [one["reason"] for one in (await cloud.json(path, fate="rejected"))["items"]] == ["non_finite"]
    assert [one["gateway"] for one in (await cloud.json(path, devices="false"))["items"]] == ["g1", "g2", "g3"]
    assert [one["device"] for one in (await cloud.json(path, devices="true", gateway="g1"))["items"]] == ["d1", "d2"]
    found, cursor = [], None
    while True:
        page = await cloud.json(path, limit=2, **({"cursor": cursor} if cursor else {}))
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == listed
    assert (await cloud.client.get(path, params={"fate": "happy"})).status_code == 422


async def test_rounds_are_listed_first_one_first_with_figures_of_their_own(cloud: Cloud) -> None:
    run = await cloud.run(rounds=3)
    models = [await cloud.round(run["id"], number, seed=number, fates=ASKED[:number]) for number in (1, 2, 3)]
    listed = (await cloud.json(f"/v1/runs/{run['id']}/rounds"))["items"]
    assert [(one["number"], one["base_version"], one["model"]) for one in listed] == [
        (1, 0, models[0]),
        (2, 1, models[1]),
        (3, 2, models[2]),
    ]
    assert [one["gateways"]["asked"] for one in listed] == [1, 1, 1]
    assert [one["devices"]["asked"] for one in listed] == [0, 1, 2]
    shown = await cloud.json(f"/v1/runs/{run['id']}")
    assert (shown["done"], shown["model"], shown["bytes_up"], shown["bytes_down"]) == (3, models[2], 300, 30)


async def test_a_round_without_a_version_leaves_the_model_as_it_was(cloud: Cloud) -> None:
    run = await cloud.run(rounds=3)
    learnt = await cloud.round(run["id"], 1, seed=1)
    await cloud.round(run["id"], 2)
    shown = await cloud.json(f"/v1/runs/{run['id']}")
    assert (shown["done"], shown["model"]) == (2, learnt)


@pytest.mark.parametrize("origin", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_an_operators_wish_in_the_middle_of_the_runners_transaction_is_no_deadlock(cloud: Cloud) -> None:
    run = await cloud.run()
    row = await cloud.row(run["id"])
    async with cloud.database.write() as session:
        await progress.opened(session, row, 1, 0, ASKED, now())  # its rows refer to the run
        async with asyncio.timeout(20):
            assert (await cloud.made(f"/v1/runs/{run['id']}/pause"))["desired"] == "pause"
        await progress.closed(session, row, 1, "short", "all", now())
    shown = await cloud.json(f"/v1/runs/{run['id']}")
    assert (shown["desired"], shown["done"]) == ("pause", 1)


async def test_a_run_that_is_locked_is_read_once_in_a_transaction_and_anew_in_the_next(cloud: Cloud) -> None:
    run = (await cloud.run(rounds=2))["id"]
    said: list[str] = []

    def hear(connection: object, cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    async with cloud.database.write() as session:
        event.listen(cloud.database.engine.sync_engine, "before_cursor_execute", hear)
        held = await runs.locked(session, MAIN, run)
        assert held is not None
        held.done = 1
        assert await runs.locked(session, MAIN, run) is await runs.find(session, MAIN, run) is held
        assert len(said) == 1
        assert await runs.locked(session, "other", run) is None
        assert len(said) > 1
    event.remove(cloud.database.engine.sync_engine, "before_cursor_execute", hear)
    assert (await cloud.client.post(f"/v1/runs/{run}/rounds")).status_code < 300
    async with cloud.database.write() as session:
        again = await runs.locked(session, MAIN, run)
        assert again is not None
        assert (again.done, again.rounds) == (1, 3)


async def test_a_round_opens_once(cloud: Cloud) -> None:
    run = await cloud.run()
    await cloud.round(run["id"], 1)
    row = await cloud.row(run["id"])
    with pytest.raises(IntegrityError):
        async with cloud.database.write() as session:
            await progress.opened(session, row, 1, 0, [], now())


async def test_a_thousand_members_are_told_of_at_once(cloud: Cloud) -> None:
    run = await cloud.run()
    many = [Fate(f"g{number // 20}", f"d{number}") for number in range(3000)]
    await cloud.round(run["id"], 1, fates=many)
    assert (await cloud.json(f"/v1/runs/{run['id']}/rounds/1"))["devices"]["asked"] == 3000


async def test_what_is_not_there_is_not_found(cloud: Cloud) -> None:
    run = (await cloud.run())["id"]
    paths = (
        "/v1/runs/nothing/rounds",
        "/v1/runs/nothing/rounds/1",
        f"/v1/runs/{run}/rounds/1",
        f"/v1/runs/{run}/rounds/1/members",
    )
    for path in paths:
        assert (await cloud.client.get(path)).status_code == 404, path
    assert await cloud.json(f"/v1/runs/{run}/rounds") == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", ("answered", "")),
        ("silent", ("silent", "")),
        ("retracted", ("retracted", "")),
        ("silent:deadline", ("silent", "deadline")),
        ("late:goal", ("late", "goal")),
        ("refused:busy", ("refused", "busy")),
        ("rejected:non_finite", ("rejected", "non_finite")),
        ("away:deadline", ("silent", "deadline")),
        ("gone", ("silent", "gone")),
        ("non_finite", ("rejected", "non_finite")),
    ],
)
def test_the_word_of_a_machine_is_read_as_a_fate_and_its_reason(said: str, meant: tuple[str, str]) -> None:
    assert fates.read(said) == meant


async def test_the_record_of_a_round_tells_of_belated_answers(cloud: Cloud) -> None:
    run = await cloud.run()
    for number in (1, 2, 3):
        await cloud.round(run["id"], number, seed=number)
    told = {"run_id": run["id"], "payload": b"p" * 32, "size": 9, "at": now()}
    async with cloud.database.write() as session:
        for ask, number, asked, local, factor in ((b"1", 3, 1, 2, 591), (b"2", 3, 3, 0, 1024), (b"3", 3, 1, 0, 1024)):
            await contributions.add(
                session,
                MAIN,
                ask=ask * 16,
                member="g1",
                number=number,
                asked=asked,
                local=local,
                factor=factor,
                leaves=4,
                **told,
            )
    shown = await cloud.json(f"/v1/runs/{run['id']}/rounds/3")
    assert shown["belated"] == [
        {"gateway": "g1", "asked": 1, "local": 0, "factor": 1.0, "devices": 4},
        {"gateway": "g1", "asked": 1, "local": 2, "factor": 591 / 1024, "devices": 4},
    ]
    assert (await cloud.json(f"/v1/runs/{run['id']}/rounds/2"))["belated"] == []


async def test_what_jobs_took_that_count_in_a_later_round_stands_with_the_round_that_had_asked(cloud: Cloud) -> None:
    run = await cloud.run()
    late = [Fate("g1", device, "late", "goal", bytes_down=7) for device in ("", "d1", "d2")]
    await cloud.round(run["id"], 1, fates=[*late, Fate("g2", "d3", "late", "goal")])
    async with cloud.database.write() as session:
        jobs = [Fate("g1", "d1", train_seconds=2.5, steps=4), Fate("g1", "nobody", train_seconds=1.0, steps=1)]
        await progress.worked(session, await cloud.row(run["id"]), 1, jobs)
    members = (await cloud.json(f"/v1/runs/{run['id']}/rounds/1/members"))["items"]
    assert [(one["device"], one["fate"], one["train_seconds"], one["steps"]) for one in members] == [
        (None, "late", None, None),
        ("d1", "late", 2.5, 4),
        ("d2", "late", None, None),
        ("d3", "late", None, None),
    ]
    assert members[1]["bytes_down"] == 7
