"""What the API needs of whatever runs the rounds, and what that gets to stand on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from folkmoot_cloud.blobs.store import BlobStore
from folkmoot_cloud.database import Database
from folkmoot_cloud.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """What an engine stands on: the same database and blobs as the API."""

    settings: Settings
    database: Database
    blobs: BlobStore


class Engine(Protocol):
    """Runs the rounds.

    It reads what operators want from the database (`runs.repository.unfinished`), so that a notification which a crash swallows
    costs nothing but the time until it looks again.
    """

    async def start(self) -> None:
        """Takes up its work in the background; called once, with the database migrated.

        Raises UserFault where it can never work as it is set up; a broker that is away is no reason.
        """
        ...

    async def stop(self) -> None:
        """Lets go of its leases and connections. Whatever was under way goes on at the next start."""
        ...

    def notify(self, run_id: str) -> None:
        """Hears that an operator changed a run: created it, or wants it paused, resumed, stopped or a round longer.

        Called after the commit; must return at once.
        """
        ...

    def why_not_ready(self) -> str:
        """Gives why rounds cannot run now, as one sentence ("the broker at ... is away"); "" where they can."""
        ...


MakeEngine = Callable[[Context], Engine]
