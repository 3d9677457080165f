"""The tables of a simulated cloud: rows that are stored with the step that they are of, all or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from folkmoot.clock import Mark
from folkmoot.hop.batch import Batch
from folkmoot.simulate.host import Host


@dataclass(frozen=True, slots=True)
class Row:
    """A fact, and when it was written."""

    at: int  # ms of the world
    off: int  # ms that the machine had been off by then, in all
    lives: int  # of the machine by then
    fact: Any


class Tables:
    """Where a node's steps are stored that tells `facts` beside its batches (folkmoot.serve.driver.Journal)."""

    def __init__(self, host: Host, written: Callable[[list[Any]], list[Any]]) -> None:
        """`written(facts)` gives what facts become in the tables: nothing that goes on changing."""
        self._host = host
        self._written = written

    async def commit(self, batches: Mapping[str, Batch], mark: Callable[[], Mark]) -> None:
        """Stores a step with its facts."""
        node = self._host.node
        facts, node.facts = node.facts, []
        if facts or any(not batch.empty for batch in batches.values()):
            self._rows(facts)
            at = mark()
            self._host.ledger.commit(batches.values(), {"now": at.now, "wall": at.wall})

    def write(self, fact: Any) -> None:
        """Stores a fact by itself, as the API does."""
        self._rows([fact])
        self._host.ledger.commit((), {}, firm=True)

    def _rows(self, facts: list[Any]) -> None:
        host = self._host
        rows = self._written(facts)
        host.ledger.rows = [Row(host.place.agenda.now, host.down_ms, host.lives, fact) for fact in rows]
