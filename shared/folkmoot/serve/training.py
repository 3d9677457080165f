"""The agent's side of training: a process that does jobs, is started when there is one, and goes when there has been none.

    trainer = Trainer(idle=60.0)
    match await trainer.run(Job(...)):
        case Done(path=path): ...
        case Failed(reason, detail): ...
    await trainer.close()

Cancelling `run` stops the job. Nothing here needs numpy or a runtime: an agent at rest has neither in its memory.
"""

import asyncio
import os
import resource
import signal
import sys
from asyncio import IncompleteReadError
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from folkmoot.errors import MisuseFault
from folkmoot.serve import conversation
from folkmoot.serve.conversation import Cancel, Done, Failed, Job, Ping, Pong, Quit, Reply, Request

Outcome = Done | Failed

GRACE = 5.0  # seconds from asking a process to stop to killing it; it looks up after every batch
LAST_WORDS = 2_000  # bytes of a process's standard error that are kept, to say why it died

# One thread works. For a second one, glibc would set up another arena; OpenBLAS reserves buffers for every core that it sees.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a training process may take of its device."""

    nice: int = 10  # added to the agent's own
    memory: int = 0  # bytes of data, beyond which it is refused more; 0: no limit
    threads: int = 1


class _Child:
    """A training process that runs."""

    def __init__(self, process: Process) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process = process
        self._into, self._out, self._errors = process.stdin, process.stdout, process.stderr
        self._words = b""
        self._listening = asyncio.create_task(self._listen())

    @property
    def alive(self) -> bool:
        """Whether the process is not known to have ended."""
        return self.process.returncode is None

    def say(self, request: Request) -> None:
        """Sends a request."""
        self._into.write(conversation.frame(request))

    async def hear(self) -> Reply:
        """Gives the next reply. Raises IncompleteReadError or ConnectionError where the process has ended instead."""
        await self._into.drain()
        head = await self._out.readexactly(conversation.HEAD.size)
        return conversation.reply(await self._out.readexactly(conversation.length(head)))

    async def end(self, grace: float) -> str:
        """Closes the pipe, which ends the process, or kills it after `grace` seconds; gives what it died of."""
        self._into.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), grace)
        if self.alive:
            self.process.kill()
        code = await self.process.wait()
        await self._listening
        words = self._words.decode(errors="replace").strip().splitlines()
        cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"the training process ended with {cause}" + (f": {words[-1]}" if words else "")

    async def _listen(self) -> None:
        while part := await self._errors.read(LAST_WORDS):
            self._words = (self._words + part)[-LAST_WORDS:]


class Trainer:
    """One training process at a time, or none."""

    def __init__(self, *, idle: float = 60.0, limits: Limits = Limits(), grace: float = GRACE) -> None:
        """`idle`: seconds without a job after which the process goes; `grace`: from asking it to stop to killing it."""
        self._idle = idle
        self._limits = limits
        self._grace = grace
        self._turn = asyncio.Lock()
        self._child: _Child | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[str]] = set()

    @property
    def pid(self) -> int | None:
        """The process's id, None where there is none."""
        return self._child.process.pid if self._child and self._child.alive else None

    async def run(self, job: Job) -> Outcome:
        """Does a job, after those that were given before; gives what came of it, also where the process died of it.

        Cancelled, it asks the process to stop the job, and kills it where it does not.
        """
        match await self._ask(job):
            case Done() | Failed() as outcome:
                return outcome
            case other:
                raise MisuseFault(f"a training process answered a job with {other}")

    async def warm(self) -> bool:
        """Starts the process ahead of the first job; says whether it is there."""
        return await self._ask(Ping()) == Pong()

    async def close(self) -> None:
        """Ends the process, once the jobs that were given are done."""
        async with self._turn:
            self._rest()
        await asyncio.gather(*self._leaving)

    async def _ask(self, request: Request) -> Reply:
        async with self._turn:
            if self._timer:
                self._timer.cancel()
            try:
                return await self._answer(request)
            finally:
                self._timer = asyncio.get_running_loop().call_later(self._idle, self._rest)

    async def _answer(self, request: Request) -> Reply:
        if self._child is None or not self._child.alive:
            try:
                self._child = await self._start()
            except OSError as error:
                return Failed("died", f"no training process could be started: {error}")
        child = self._child
        child.say(request)
        reply = asyncio.create_task(child.hear())
        reply.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, also if nobody waits any more
        try:
            return await asyncio.shield(reply)
        except asyncio.CancelledError:
            await self._stop(child, reply)
            raise
        except (IncompleteReadError, ConnectionError):
            self._child = None
            return Failed("died", await child.end(self._grace))

    async def _start(self) -> _Child:
        limits = self._limits
        command = (sys.executable, "-m", "folkmoot.serve.child", str(limits.threads))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env={**os.environ, **ENVIRONMENT}
        )
        with suppress(ProcessLookupError):  # it may have ended already; whoever waits for its answer hears so
            nice = min(19, os.getpriority(os.PRIO_PROCESS, 0) + limits.nice)
            os.setpriority(os.PRIO_PROCESS, process.pid, nice)
            if limits.memory:
                resource.prlimit(process.pid, resource.RLIMIT_DATA, (limits.memory, limits.memory))
        return _Child(process)

    async def _stop(self, child: _Child, reply: asyncio.Task[Reply]) -> None:
        """Asks for the end of a job, waits, and kills: the agent is never held up by its training."""
        try:
            child.say(Cancel())
            await asyncio.wait({reply}, timeout=self._grace)
        finally:
            self._settle(child, reply)

    def _settle(self, child: _Child, reply: asyncio.Task[Reply]) -> None:
        """Sees to what is left of a job that nobody waits for any more."""
        if not reply.done():
            child.process.kill()
        if not reply.done() or reply.exception():
            self._child = None
            self._leave(child)
        elif isinstance(late := reply.result(), Done):
            Path(late.path).unlink(missing_ok=True)  # it was done before it could be stopped, and nobody will fetch it

    def _rest(self) -> None:
        """Lets the process go."""
        if self._timer:
            self._timer.cancel()
        if self._child:
            self._child.say(Quit())
            self._leave(self._child)
            self._child = None

    def _leave(self, child: _Child) -> None:
        task = asyncio.create_task(child.end(self._grace))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


class Pool:
    """Several training processes, for one that stands in for many devices."""

    def __init__(self, count: int, *, idle: float = 60.0, limits: Limits = Limits(), grace: float = GRACE) -> None:
        """`count` processes at most; the rest as for a Trainer."""
        self._trainers = [Trainer(idle=idle, limits=limits, grace=grace) for _ in range(count)]
        self._free: asyncio.LifoQueue[Trainer] = asyncio.LifoQueue()  # the last one used has its program loaded
        for trainer in self._trainers:
            self._free.put_nowait(trainer)

    async def run(self, job: Job) -> Outcome:
        """Does a job on the first process that is free; as Trainer.run otherwise."""
        trainer = await self._free.get()
        try:
            return await trainer.run(job)
        finally:
            self._free.put_nowait(trainer)

    async def close(self) -> None:
        """Ends all processes."""
        await asyncio.gather(*(trainer.close() for trainer in self._trainers))
