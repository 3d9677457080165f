"""Blobs that rot on a device's card: nothing is trained with them, and they are pulled again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from folkmoot.hop import member
from folkmoot.link.face import Arrived, Connected, Limits
from folkmoot.serve.child import attempt
from folkmoot.serve.conversation import Failed, Job
from folkmoot.serve.lesson import Classroom
from folkmoot.store.cache import Cache
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Block, Get
from folkmoot_device import agent
from folkmoot_device.workshop import Workshop
from tests.kit import ends, lessons
from tests.kit.asks import ask

PROGRAM, WEIGHTS, ID = b"program", b"weights", b"i" * 16
QUESTION: Ask = ask(program=codec.digest(PROGRAM), weights=codec.digest(WEIGHTS), program_size=len(PROGRAM), size=len(WEIGHTS))


class Broken:
    """Training that finds what it reads damaged."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def run(self, job: Job) -> Failed:
        self.jobs.append(job)
        return Failed("store", "damaged")


def rot(cache: Cache, blob: bytes) -> None:
    cache.path(blob).write_bytes(b"rotten")


@pytest.mark.parametrize("which", ["program", "weights"])
def test_no_job_is_done_with_a_file_that_has_rotted(tmp_path: Path, which: str) -> None:
    job = lessons.job(tmp_path)
    found, _ = lessons.packaged()
    wanted = {"program": codec.digest(found.program), "weights": codec.digest(found.weights), which: b"w" * 32}
    rotten = lessons.job(tmp_path, sha256=(wanted["program"], wanted["weights"]))
    outcome = attempt(Classroom(), rotten, lambda: None)
    assert outcome == Failed("store", f"{getattr(job, which)} is damaged")


@pytest.mark.parametrize("rotten", [True, False])
async def test_a_job_that_fails_for_a_blob_that_has_rotted_is_no_refusal(tmp_path: Path, rotten: bool) -> None:
    cache = Cache(tmp_path / "cache", 1 << 20)
    program, weights = cache.put(PROGRAM), cache.put(WEIGHTS)
    if rotten:
        rot(cache, weights)
    item = member.Member()
    item.handle(member.Asked(ID, QUESTION, 60_000), 0)
    said: asyncio.Queue[Any] = asyncio.Queue()
    trainer = Broken()
    workshop = Workshop("d1", trainer, cache, tmp_path / "e", tmp_path / "out", lambda _, event: said.put_nowait(event))
    workshop.start(item)
    assert await said.get() == (agent.Rotten(ID) if rotten else agent.Failed(ID, "store", "damaged"))
    assert trainer.jobs[0].sha256 == (program, weights)
    assert (cache.has(program), cache.has(weights)) == (True, not rotten)


def test_a_device_pulls_again_what_has_rotted_and_does_its_work_then(tmp_path: Path) -> None:
    above = ends.lower(tmp_path)
    cache = Cache(tmp_path / "cache", 1 << 30)
    for blob in (PROGRAM, WEIGHTS):
        above._library.put(blob)
    begun: list[bytes] = []
    node = agent.Agent(above, agent.Trainer(lambda item: begun.append(item.id), lambda ask: None), lambda: 1, lambda: "")
    topic = ends.TREE.topic("d1", Ask)
    asked = Arrived(topic, ends.message("g1", "d1", QUESTION, ID, 60_000), False, None)
    node.step([("up", Connected(False, Limits(8, 262_144))), ("up", asked)], 0)
    node.perform()
    rot(cache, QUESTION.weights)
    assert not above._library.check(QUESTION.weights)  # type: ignore[attr-defined]
    batch = node.step([("work", agent.Rotten(ID))], 10)["up"]
    node.perform()
    assert [send.body.blob for send in batch.sends if isinstance(send.body, Get)] == [QUESTION.weights]
    assert begun == [ID]
    ends.down(above, _block(), now=20, ask=ID)
    node.step([], 21)
    node.perform()
    assert begun == [ID, ID]


def _block() -> Block:
    return Block(blob=QUESTION.weights, index=0, size=len(WEIGHTS), data=WEIGHTS)
