"""A run as it goes: its events say that something has changed, its records say what."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from folkmoot_cli.api import Cloud, Json, Unreachable

AGAIN = 1.0  # seconds before the next attempt, when the connection was lost


@dataclass(frozen=True, slots=True)
class Run:
    """The run's record has changed, or is shown for the first time."""

    record: Json  # a RunView of the API


@dataclass(frozen=True, slots=True)
class Round:
    """A round's record has changed, or is shown for the first time."""

    record: Json  # a RoundView of the API
    run: Json


@dataclass(frozen=True, slots=True)
class Lost:
    """The cloud cannot be reached; it is tried again."""

    reason: str


Update = Run | Round | Lost


async def follow(cloud: Cloud, run_id: str) -> AsyncIterator[Update]:
    """Gives what there is of a run, then what changes, and ends when the run is finished.

    A lost connection is taken up again where it was. Raises UserFault where there is no such run, or no cloud to begin with.
    """
    follower = _Follower(cloud, run_id)
    await follower.read_run()
    while True:
        try:
            async for update in follower.updates():
                yield update
            return
        except Unreachable as error:
            yield Lost(str(error))
        await asyncio.sleep(AGAIN)


class _Follower:
    """What has been seen of one run."""

    def __init__(self, cloud: Cloud, run_id: str) -> None:
        self._cloud = cloud
        self._id = run_id
        self._run: Json = {}
        self._rounds: dict[int, Json] = {}
        self._seen = 0  # sequence number of the last event

    async def read_run(self) -> Run:
        self._run = await self._cloud.get("runs", self._id)
        return Run(self._run)

    async def updates(self) -> AsyncIterator[Update]:
        """Gives everything once, then the changes; returns at the run's end. Raises Unreachable."""
        for record in await self._cloud.listing("runs", self._id, "rounds"):
            if record != self._rounds.get(record["number"]):
                yield self._note(record)
        yield await self.read_run()
        if self._run["status"] == "finished":
            return
        # From the first event on: what happened between the two is not lost, and what is known already is passed over.
        async for event in self._cloud.events(self._id, self._seen):
            self._seen = event["sequence"]
            kind, content = event["kind"], event["content"]
            if kind.startswith("run."):
                yield await self.read_run()
                if kind == "run.finished" and self._run["status"] == "finished":
                    return
            elif (number := self._number(kind, content)) is not None and not self._settled(number):
                yield self._note(await self._cloud.get("runs", self._id, "rounds", str(number)))

    def _number(self, kind: str, content: Json) -> int | None:
        """Gives the round that an event is about."""
        if kind.startswith("round."):
            return int(content["round"])
        if kind == "model.evaluated":
            made = (
                number for number, one in self._rounds.items() if one["model"] and one["base_version"] + 1 == content["version"]
            )
            return next(made, None)
        return None

    def _settled(self, number: int) -> bool:
        """Whether nothing about a round can change any more."""
        known = self._rounds.get(number)
        if known is None or known["status"] == "open":
            return any(later > number for later in self._rounds)
        return known["evaluation"] is not None or known["model"] is None or not self._run["evaluate"]

    def _note(self, record: Json) -> Round:
        self._rounds[record["number"]] = record
        return Round(record, self._run)
