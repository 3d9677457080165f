"""Disks that are full, under real nodes at real brokers: the process lives, nothing is acknowledged that is not stored.

The disks are file systems of a few megabytes in memory; where none can be mounted, these tests are skipped.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from folkmoot import tasks
from folkmoot.link.broker import Broker, mosquitto_broker
from folkmoot.link.face import Arrived
from folkmoot.link.settings import Broker as Where
from folkmoot.serve.health import missing
from folkmoot.serve.station import DEVICE
from folkmoot.wire import bundle, codec
from folkmoot.wire.messages import Ask, Body, Get, Hello, Refuse, Request, Started, Status
from folkmoot.wire.topics import Tree
from tests.kit import asks, toy
from tests.kit.broker import endpoint, program
from tests.kit.disk import MakeDisk
from tests.kit.ear import join
from tests.kit.ends import message
from tests.kit.federation import DeviceService, Federation
from tests.kit.processes import Town

TREE = Tree("fl", "g1")
PARAMETERS = 50
WEIGHTS = bytes(4 * PARAMETERS)
PROGRAM = bundle.dump(toy.program(PARAMETERS))
DEED = b"\7" * 16
AGAIN = 30.0  # seconds in which a node must have seen that there is room again: it looks every 5


class Above:
    """The upper end of device d1, played by a test: it sends nothing twice."""

    def __init__(self, broker: Broker) -> None:
        self.link, self.ear = join(endpoint(broker), "g1-down", *TREE.upper_filters(), receive_maximum=32, window=32)

    def say(self, body: Body, ask: bytes = DEED) -> None:
        """Sends the device a message, once."""
        left = 600_000 if isinstance(body, Ask) else None
        assert self.link.send(object(), TREE.topic("d1", type(body)), message("g1", "d1", body, ask, left))

    async def hear(self, kind: type[Body], when: Callable[[Any], bool] = lambda body: True, patience: float = AGAIN) -> Any:
        """Gives the next message of a kind from the device for which `when` holds."""
        found: list[Any] = []

        def wanted(event: Arrived) -> bool:
            self.link.ack(event.token)
            body = codec.unseal(event.payload, limit=1 << 20).body
            if isinstance(body, kind) and when(body):
                found.append(body)
            return bool(found)

        await self.ear.next(Arrived, wanted, patience)
        return found[0]

    def about(self, kind: type[Body]) -> set[bytes]:
        """Gives the ids of the Asks about which messages of a kind have come."""
        envelopes = (codec.unseal(event.payload, limit=1 << 20) for event in self.ear.all(Arrived))
        return {envelope.ask for envelope in envelopes if isinstance(envelope.body, kind)}


def the_ask() -> Ask:
    """Gives an Ask with all that it takes, which a device has to store before it replies."""
    sizes = {"size": len(WEIGHTS), "program_size": len(PROGRAM), "inline": WEIGHTS}
    return asks.ask(program=codec.digest(PROGRAM), weights=codec.digest(WEIGHTS), **sizes)


@asynccontextmanager
async def home(broker: Broker, folder: Path) -> AsyncIterator[tuple[DeviceService, Above]]:
    """Gives device d1, which is up and ready, and its upper end."""
    above = Above(broker)
    device = DeviceService("d1", folder, "g1", Where(port=broker.port), PARAMETERS)
    device.start()
    try:
        status = await above.hear(Status)
        assert status.state == "up"
        above.say(Request(what="hello"), b"")
        assert (await above.hear(Hello)).ready
        yield device, above
    finally:
        await device.stop()
        above.link.stop()
        await above.link.stopped()


@pytest.mark.broker
async def test_a_device_whose_disk_is_full_says_so_takes_nothing_and_goes_on_when_there_is_room(
    mosquitto: Broker, tmp_path: Path, make_disk: MakeDisk, caplog: pytest.LogCaptureFixture
) -> None:
    disk = make_disk(tmp_path / "d1", 4 << 20)
    with caplog.at_level(logging.WARNING):
        async with home(mosquitto, disk.folder) as (device, above):
            disk.fill()
            above.say(the_ask())
            hello = await above.hear(Hello)
            assert (hello.ready, hello.why_not) == (False, "no room on the disk")
            assert (await above.hear(Refuse)).reason == "no_room"
            assert missing(disk.folder) == [f"{disk.folder}: no room on the disk"]
            above.say(Request(what="hello"), b"")  # the connection is the one of before, and answers
            assert not (await above.hear(Hello)).ready

            disk.make_room()
            # It asks for the Ask that it has refused, which was sent once: not acknowledged, it is still with the broker.
            await above.hear(Get, lambda body: not body.blob)
            assert missing(disk.folder) == []
            above.say(Request(what="hello"), b"")
            assert (await above.hear(Hello)).ready
            above.say(the_ask())
            await above.hear(Started)
            assert device.running
    said = [record.getMessage() for record in caplog.records if record.name.startswith("folkmoot.serve")]
    assert [one for one in said if "disk" in one] == [
        "no room on the disk: nothing is taken in until that is over",
        "the disk does again",
    ]


@pytest.mark.broker
async def test_what_is_not_stored_stays_with_the_broker_which_sends_no_more_than_the_receive_maximum(
    mosquitto: Broker, tmp_path: Path, make_disk: MakeDisk
) -> None:
    disk = make_disk(tmp_path / "d1", 4 << 20)
    deeds = {bytes([number]) * 16 for number in range(20)}
    async with home(mosquitto, disk.folder) as (_, above):
        disk.fill()
        for deed in sorted(deeds):
            above.say(the_ask(), deed)
        while len(above.about(Refuse)) < DEVICE.receive_maximum:
            await above.hear(Refuse)
        disk.make_room()
        while above.about(Get) != deeds:  # each was sent once, and none is lost
            await above.hear(Get)
        assert len(above.about(Refuse)) == DEVICE.receive_maximum


HOMES = {"g1": ["a", "b", "c"], "g2": ["d", "e"]}
ROUNDS = 8
EVERYBODY = sorted(device for devices in HOMES.values() for device in devices)


@asynccontextmanager
async def federation(folder: Path, parameters: int) -> AsyncIterator[Federation]:
    """Gives a federation that is up, in `folder`/run."""
    with ExitStack() as stack:
        cloud, *homes = (
            stack.enter_context(mosquitto_broker(program(), "home", folder / f"broker-{name}")) for name in ("cloud", *HOMES)
        )
        async with Federation(
            folder / "run", cloud, dict(zip(HOMES, homes, strict=True)), HOMES, parameters=parameters
        ) as made:
            await made.up()
            yield made


async def until(found: Federation, so: Callable[[], Awaitable[bool]]) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(AGAIN):
        while not await so():
            await found.event()


async def answered(found: Federation, run: str, rounds: int) -> list[list[str]]:
    """Gives who is in the model after each round, as the record has it."""
    listed = []
    for number in range(1, rounds + 1):
        rows = await found.api.get(f"/v1/runs/{run}/rounds/{number}/members", params={"limit": 100})
        listed.append(sorted(one["device"] for one in rows.json()["items"] if one["device"] and one["fate"] == "answered"))
    return listed


async def models(found: Federation, run: str) -> list[str]:
    """Gives the sha256 of every model of a run, oldest first."""
    rows = (await found.api.get("/v1/models", params={"run": run, "limit": 100})).json()["items"]
    return [one["model_sha256"] for one in sorted(rows, key=lambda one: int(one["version"]))]


@pytest.mark.broker
@pytest.mark.parametrize("parameters", [PARAMETERS, 60_000], ids=["inline", "chunked"])
async def test_a_gateway_whose_disk_is_full_in_the_middle_of_a_run_loses_no_answer_and_counts_none_twice(
    tmp_path: Path, make_disk: MakeDisk, parameters: int
) -> None:
    disk = make_disk(tmp_path / "run" / "g1", 8 << 20)
    async with federation(tmp_path, parameters) as found:
        undisturbed = await found.launch(rounds=ROUNDS)
        await found.run(undisturbed)
        run = await found.launch(rounds=ROUNDS, min_answers=len(EVERYBODY))

        async def under_way() -> bool:
            return bool((await found.api.get(f"/v1/runs/{run}")).json()["done"])

        await until(found, under_way)

        async def told() -> bool:
            disk.fill()  # whenever one looks: a node that lets go of an older model would have room for the next round
            row = (await found.api.get("/v1/gateways/g1")).json()
            return (row["ready"], row["why_not"]) == (False, "no room on the disk")

        await until(found, told)
        assert found.gateways["g1"].running
        assert f"{disk.folder}: no room on the disk" in missing(disk.folder)
        assert (await found.api.get("/v1/gateways/g1")).json()["state"] == "up"
        disk.make_room()
        assert (await found.run(run))["outcome"] == "completed"
        assert missing(disk.folder) == []
        # A round without g1 is short of answers, and nothing is made of it; in all the others everybody is, and once: each
        # model is the one that it is where nothing disturbs.
        learnt = await models(found, run)
        assert ROUNDS - 2 <= len(learnt) <= ROUNDS
        assert learnt == (await models(found, undisturbed))[: len(learnt)]


@pytest.mark.broker
async def test_operators_see_which_device_has_no_room_and_the_run_waits_for_it(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "run" / "a", 4 << 20)
    async with federation(tmp_path, PARAMETERS) as found:
        undisturbed = await found.launch(rounds=ROUNDS)
        await found.run(undisturbed)
        disk.fill()
        # What it has begun and cannot store the answer of may be waited for, until the deadline.
        run = await found.launch(rounds=ROUNDS, min_answers=len(EVERYBODY), deadline_seconds=10)

        async def told() -> bool:
            disk.fill()
            row = (await found.api.get("/v1/devices/a")).json()
            return (row["state"], row["why_not"]) == ("up", "no room on the disk")

        async def waits() -> bool:
            return bool((await found.api.get(f"/v1/runs/{run}")).json()["reason"] == "4 devices are ready; the run needs 5")

        await until(found, told)
        await until(found, waits)
        disk.make_room()
        assert (await found.run(run))["outcome"] == "completed"
        assert (await found.api.get("/v1/devices/a")).json()["why_not"] == ""
        # The round in which it happened is short of an answer, and so is one that opened before the news had got to the cloud.
        without = [one for one in EVERYBODY if one != "a"]
        listed = await answered(found, run, ROUNDS)
        short = listed.count(without)
        assert 1 <= short <= 2
        assert listed == [without] * short + [EVERYBODY] * (ROUNDS - short)
        assert await models(found, run) == (await models(found, undisturbed))[: ROUNDS - short]


@pytest.mark.broker
async def test_a_cloud_whose_disk_is_full_says_so_and_finishes_the_run_when_there_is_room(
    tmp_path: Path, make_disk: MakeDisk
) -> None:
    disk = make_disk(tmp_path / "run" / "cloud", 8 << 20)
    async with federation(tmp_path, 60_000) as found:
        undisturbed = await found.launch(rounds=3)
        await found.run(undisturbed)
        run = await found.launch(rounds=3)

        async def begun() -> bool:
            return bool((await found.api.get(f"/v1/runs/{run}")).json()["status"] == "running")

        await until(found, begun)

        async def told() -> bool:
            disk.fill()
            ready = await found.api.get("/readyz")
            return ready.status_code == 503 and "no room on the disk" in ready.json()["engine"]

        await until(found, told)
        # A small thing may still have room in SQLite's log, and is then taken and stored; this cannot.
        large = bundle.dump(bundle.Bundle(program=bundle.dump(toy.program(700_000)), weights=bytes(2_800_000)))
        kind = {"Content-Type": "application/octet-stream"}
        refused = await found.api.post("/v1/tasks", content=large, headers=kind)
        assert refused.status_code == 503
        assert refused.json()["detail"].startswith("no room on the disk: ")
        assert (await found.api.get(f"/v1/runs/{run}")).status_code == 200  # what is stored can be read
        disk.make_room()
        over = await found.run(run)
        assert (over["outcome"], over["done"]) == ("completed", 3)
        assert await answered(found, run, 3) == [EVERYBODY] * 3
        assert await models(found, run) == await models(found, undisturbed)
        assert (await found.api.get("/readyz")).status_code == 200


@pytest.mark.broker
def test_processes_live_on_and_one_that_starts_on_a_full_disk_waits_for_room(tmp_path: Path, make_disk: MakeDisk) -> None:
    disks = {name: make_disk(tmp_path / name, 8 << 20) for name in ("a", "g1")}
    with Town(tmp_path, {"g1": ["a", "b"]}) as town:
        town.up(2)
        run = town.launch(tasks.read("digits-mlp"), rounds=40, min_answers=2, plan={"epochs": 5})
        town.until(lambda: town.get(f"/v1/runs/{run}").get("done", 0) >= 2)
        pids = {process.name: process.pid for process in town.processes()}

        def told() -> bool:
            disks["g1"].fill()  # by itself: whatever its devices say, it must store
            return bool(town.get("/v1/gateways/g1")["why_not"] == "no room on the disk")

        town.until(told)
        disks["a"].fill()
        town.devices["a"].kill()
        town.devices["a"].start()
        town.until(lambda: "no room on the disk: nothing is taken in" in town.devices["a"].said())
        assert town.gateways["g1"].pid == pids["g1"]
        for disk in disks.values():
            disk.make_room()
        town.up(2)
        done = town.get(f"/v1/runs/{run}")["done"]
        town.until(lambda: town.get(f"/v1/runs/{run}")["done"] >= done + 3)
        rows = town.get(f"/v1/runs/{run}/rounds", limit=100)["items"]
        learnt = [one["number"] for one in rows if one["model"]]
        assert len(learnt) >= 4
        assert all(town.members(run, number)[name]["fate"] == "answered" for number in learnt for name in ("a", "b"))
        town.post(f"/v1/runs/{run}/stop")
        assert {process.name: process.pid for process in town.processes() if process.name != "a"} == {
            name: pid for name, pid in pids.items() if name != "a"
        }
