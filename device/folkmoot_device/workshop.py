"""Where a device's work is done: jobs for the training process, one at a time, and what comes of them for the agent."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from folkmoot.hop import member
from folkmoot.serve import conversation
from folkmoot.serve.conversation import Done, Failed, Job
from folkmoot.store import disk
from folkmoot.store.cache import Cache
from folkmoot_device import agent

log = logging.getLogger(__name__)


class Runs(Protocol):
    """Whatever does jobs: a Trainer for one device, a Pool for many (folkmoot.serve.training)."""

    async def run(self, job: Job) -> Done | Failed:
        """Does a job; cancelled, it stops."""
        ...


class Workshop:
    """The training of one device."""

    def __init__(
        self, device: str, trainer: Runs, cache: Cache, examples: Path, out: Path, post: Callable[[str, Any], None]
    ) -> None:
        """`examples`: the store's file; `out`: a folder for answers on their way; `post` tells the agent what came of a job.

        Raises StoreFault.
        """
        self._device = device
        self._trainer = trainer
        self._cache = cache
        self._examples = examples
        self._out = out
        self._post = post
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        try:
            out.mkdir(parents=True, exist_ok=True)
            for left in out.iterdir():
                left.unlink()  # of a life that ended before it was handed over
        except OSError as error:
            raise disk.fault(out, error) from None

    def start(self, item: member.Member) -> None:
        """Begins the work of an Ask; Trained or Failed is posted when it is over."""
        self._tasks[item.id] = asyncio.create_task(self._work(item))

    def stop(self, ask: bytes) -> None:
        """Ends the work of an Ask early; Failed is posted."""
        task = self._tasks.get(ask)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Ends all work."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _work(self, item: member.Member) -> None:
        outcome: Done | Failed = Failed("cancelled")
        try:
            outcome = await self._trainer.run(self._job(item))
        finally:
            del self._tasks[item.id]
            self._post("work", self._result(item, outcome))

    def _job(self, item: member.Member) -> Job:
        ask = item.ask
        return Job(
            device=self._device,
            program=str(self._cache.path(ask.program)),
            weights=str(self._cache.path(ask.weights)),
            sha256=(ask.program, ask.weights),
            examples=str(self._examples),
            out=str(self._out),
            **conversation.wanted(self._device, ask),
        )

    def _result(self, item: member.Member, outcome: Done | Failed) -> agent.Trained | agent.Failed | agent.Rotten:
        ask = item.id
        if isinstance(outcome, Failed):
            blobs = (item.ask.program, item.ask.weights)
            if outcome.reason == "store" and [blob for blob in blobs if not self._cache.check(blob)]:
                return agent.Rotten(ask)
            if outcome.reason != "cancelled":
                log.warning("work failed", extra={"device": self._device, "reason": outcome.reason, "detail": outcome.detail})
            return agent.Failed(ask, outcome.reason, outcome.detail)
        path = Path(outcome.path)
        try:
            payload = path.read_bytes()
            path.unlink()
        except OSError as error:
            log.warning("work is lost", extra={"device": self._device, "reason": str(error)})
            return agent.Failed(ask, "store", f"{path.name}: {error.strerror}")
        return agent.Trained(ask, payload)
