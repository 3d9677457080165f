"""What a recording must know of the node that it is of. Each tier has its own (`flight` in its package)."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

from folkmoot.flight.entry import Outcome, Ref
from folkmoot.flight.port import Notes
from folkmoot.hop.batch import Batch
from folkmoot.hop.open_round import Open
from folkmoot.serve.driver import Node
from folkmoot.wire.partial import Partial

Resolve = Callable[[Ref], bytes]
"""Gives the content that a reference stands for."""


class Craft(Protocol):
    """A node that is recorded, or that lives through a recording."""

    @property
    def tier(self) -> str:
        """Which program it is: gateway or cloud."""
        ...

    @property
    def name(self) -> str:
        """Of the node."""
        ...

    @property
    def frame(self) -> bytes:
        """How it is made."""
        ...

    @property
    def node(self) -> Node:
        """The program."""
        ...

    @property
    def sent(self) -> Callable[[str, bytes, int], None]:
        """Hears of messages that have left: member, Ask, bytes."""
        ...

    # For whoever records.

    def start(self) -> bytes:
        """Gives what this life starts from."""
        ...

    def standing(self, topic: str) -> bool:
        """Whether what is said there holds until something else is: not what members say, which `now` has."""
        ...

    def write(self, event: Any, notes: Notes) -> tuple[Any, str, bytes] | None:
        """Gives an input that only this tier has as it is to be handed on, its word, and its bytes; None: it means nothing."""
        ...

    def outcomes(self, batches: Mapping[str, Batch]) -> list[Outcome]:
        """Gives the rounds that a step has ended; call it after each step, before its facts are taken."""
        ...

    def now(self) -> bytes:
        """Gives what a reader must know who starts in the middle of this life."""
        ...

    def joining(self) -> Collection[str]:
        """Gives what such a reader cannot be given now, and will be when `joins` has it."""
        ...

    def joins(self, wanted: Collection[str], batches: Mapping[str, Batch], notes: Notes) -> Iterator[tuple[str, str, bytes]]:
        """Yields what of it can be given after this step: its name, and an input's word and bytes."""
        ...

    # For whoever replays.

    def restore(self, state: bytes) -> None:
        """Begins the life that `start` described."""
        ...

    def adopt(self, state: bytes, now: int) -> Collection[str]:
        """Begins in the middle, as `now` described; gives the keys of the rounds that there were, and what `joining` gave."""
        ...

    def read(self, word: str, content: bytes, resolve: Resolve, kept: Callable[[bytes], bytes | None]) -> Any:
        """Gives the input that `write` wrote. `kept` takes the place of what it knew of kept answers."""
        ...

    def measured(self, outcome: Outcome, batches: Mapping[str, Batch]) -> Mapping[str, int]:
        """Gives the sums of what the members of a round have measured that the step has ended."""
        ...

    def over(self) -> None:
        """Hears that the step has been looked at."""
        ...

    def remembers(self, outcome: Outcome) -> bool | None:
        """Whether the next life, which this is, began with the round as over; None: it does not say."""
        ...

    @property
    def opens(self) -> Mapping[str, Open]:
        """The rounds below, by key."""
        ...

    def maker(self, open: Open) -> Callable[[Partial], bytes]:
        """Gives what makes the next block of weights of a round's sums, from the model that the round began with.

        It raises PeerFault("no_usable_updates") where there is nothing in the sums.
        """
        ...
