import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from folkmoot.serve import conversation
from folkmoot.serve.conversation import Done, Failed
from folkmoot.serve.training import Limits, Pool, Trainer
from folkmoot.wire.messages import Plan
from tests.kit import lessons

# What neither an agent at rest nor its training process may import.
HEAVY = {"typer", "rich", "pydantic", "structlog", "cryptography", "fastapi", "sklearn", "tensorflow"}
LONG = Plan(steps=lessons.LONG)

Make = Callable[..., Trainer]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Gives trainers, which are closed when the test is over."""
    made: list[Trainer] = []

    def start(**options: object) -> Trainer:
        made.append(Trainer(**options))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for trainer in made:
        await trainer.close()


async def begun(trainer: Trainer | Pool, folder: Path) -> "asyncio.Task[Done | Failed]":
    """Starts a long job and returns when its process is in the middle of it: it has come to the weights, which are a pipe."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    task = asyncio.create_task(trainer.run(lessons.job(folder, weights=str(pipe), plan=LONG)))
    await asyncio.to_thread(pipe.write_bytes, lessons.packaged()[0].weights)
    return task


async def gone(pid: int) -> None:
    """Waits until a process that is not waited for elsewhere has ended."""
    handle = os.pidfd_open(pid)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)


async def test_a_job_is_done_and_its_process_stays_for_the_next_one(make: Make, tmp_path: Path) -> None:
    trainer = make()
    assert trainer.pid is None
    first = await trainer.run(lessons.job(tmp_path, seed=1))
    pid = trainer.pid
    second = await trainer.run(lessons.job(tmp_path, seed=2))
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert first.digest != second.digest
    assert trainer.pid == pid is not None


async def test_what_cannot_be_done_is_an_outcome_and_the_process_stays(make: Make, tmp_path: Path) -> None:
    trainer = make()
    lessons.fill(tmp_path / "examples.db", lessons.digits(0))
    assert await trainer.run(lessons.job(tmp_path)) == Failed("no_examples", "there is nothing here to train on")
    pid = trainer.pid
    missing = await trainer.run(lessons.job(tmp_path, program=str(tmp_path / "none")))
    assert isinstance(missing, Failed)
    assert missing.reason == "store"
    assert trainer.pid == pid


async def test_a_process_that_is_killed_is_a_failure_and_the_next_job_has_another(make: Make, tmp_path: Path) -> None:
    trainer = make()
    task = await begun(trainer, tmp_path)
    pid = trainer.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    outcome = await task
    assert isinstance(outcome, Failed)
    assert outcome.reason == "died"
    assert outcome.detail.startswith("the training process ended with signal SIGKILL")
    assert isinstance(await trainer.run(lessons.job(tmp_path)), Done)
    assert trainer.pid not in (None, pid)


async def test_a_process_that_dies_at_rest_is_not_missed(make: Make, tmp_path: Path) -> None:
    trainer = make()
    assert await trainer.warm()
    pid = trainer.pid
    assert pid is not None
    process = trainer._child.process  # type: ignore[union-attr]
    os.kill(pid, signal.SIGKILL)
    await process.wait()
    assert trainer.pid is None
    assert isinstance(await trainer.run(lessons.job(tmp_path)), Done)


async def test_a_cancelled_job_stops_and_the_process_stays(make: Make, tmp_path: Path) -> None:
    trainer = make()
    task = await begun(trainer, tmp_path)
    pid = trainer.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(await trainer.run(lessons.job(tmp_path)), Done)
    assert trainer.pid == pid


async def test_a_process_that_does_not_stop_is_killed_after_the_grace(make: Make, tmp_path: Path) -> None:
    trainer = make(grace=0.05)
    task = await begun(trainer, tmp_path)
    pid = trainer.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert trainer.pid is None
    assert isinstance(await trainer.run(lessons.job(tmp_path)), Done)
    assert trainer.pid != pid


async def test_jobs_wait_for_one_another(make: Make, tmp_path: Path) -> None:
    trainer = make()
    outcomes = await asyncio.gather(*(trainer.run(lessons.job(tmp_path, seed=seed)) for seed in range(3)))
    assert len({outcome.digest for outcome in outcomes if isinstance(outcome, Done)}) == 3


async def test_a_process_without_jobs_goes(make: Make, tmp_path: Path) -> None:
    trainer = make(idle=0.01)
    assert isinstance(await trainer.run(lessons.job(tmp_path)), Done)
    if (pid := trainer.pid) is not None:
        await gone(pid)
    assert trainer.pid is None
    assert isinstance(await trainer.run(lessons.job(tmp_path)), Done)


async def test_a_trainer_that_is_closed_leaves_no_process(make: Make) -> None:
    trainer = make()
    await trainer.warm()
    process = trainer._child.process  # type: ignore[union-attr]
    await trainer.close()
    assert process.returncode == 0
    assert trainer.pid is None


def test_a_process_ends_when_its_agent_is_gone() -> None:
    command = [sys.executable, "-m", "folkmoot.serve.child", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(conversation.frame(conversation.Ping()))
        process.stdin.flush()
        size = conversation.length(process.stdout.read(conversation.HEAD.size))
        assert conversation.reply(process.stdout.read(size)) == conversation.Pong()
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_process_in_the_middle_of_a_job_ends_when_its_agent_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "folkmoot.serve.child", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(conversation.frame(lessons.job(tmp_path, plan=LONG)))
        process.stdin.close()
        assert process.wait(30) == 0


async def test_training_is_nicer_than_the_agent(make: Make) -> None:
    trainer = make(limits=Limits(nice=7))
    await trainer.warm()
    assert trainer.pid is not None
    assert os.getpriority(os.PRIO_PROCESS, trainer.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 7)


async def test_memory_beyond_the_limit_is_refused_to_the_process_and_the_agent_goes_on(make: Make, tmp_path: Path) -> None:
    small = make(limits=Limits(memory=8 << 20))
    outcome = await small.run(lessons.job(tmp_path))
    assert isinstance(outcome, Failed)
    assert outcome.reason in ("memory", "died")
    enough = make(limits=Limits(memory=256 << 20))
    assert isinstance(await enough.run(lessons.job(tmp_path)), Done)


async def test_a_pool_does_as_many_jobs_at_a_time_as_it_has_processes(tmp_path: Path) -> None:
    pool = Pool(2)
    try:
        long = await begun(pool, tmp_path)
        outcomes = await asyncio.gather(*(pool.run(lessons.job(tmp_path, seed=seed)) for seed in range(4)))
        assert len({outcome.digest for outcome in outcomes if isinstance(outcome, Done)}) == 4
        assert not long.done()
        long.cancel()
        assert isinstance(await pool.run(lessons.job(tmp_path)), Done)
    finally:
        await pool.close()


def modules(script: str) -> set[str]:
    """Gives the top-level modules that a fresh process has imported after `script`."""
    shown = f"{script}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_the_agents_side_of_training_imports_neither_numpy_nor_a_runtime() -> None:
    found = modules("import folkmoot.serve.training, folkmoot.store.examples")
    assert found & (HEAVY | {"numpy", "tflite_runtime", "ai_edge_litert"}) == set()


def test_a_training_process_imports_what_it_needs_and_no_more() -> None:
    found = modules("import folkmoot.serve.child")
    assert "numpy" in found
    assert found & (HEAVY | {"paho", "asyncio", "ssl", "email", "uuid6", "unittest"}) == set()
