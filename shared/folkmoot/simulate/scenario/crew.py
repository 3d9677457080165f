"""Who moves the homes on: this process, or several beside it. What comes of it is the same."""

import multiprocessing
import multiprocessing.connection
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol, Self

from folkmoot.errors import FolkmootError
from folkmoot.simulate.scenario import examples, profile
from folkmoot.simulate.scenario.branch import Ground, Parcel, Seen
from folkmoot.simulate.scenario.branches import Branches
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.life import Tally
from folkmoot.simulate.scenario.trade import School
from folkmoot.simulate.tiers import tier
from folkmoot.wire import bundle

Step = tuple[int, Sequence[Parcel]]
"""Up to when to go, in ms, and what has come from the cloud."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of a step."""

    next: int | None  # ms
    parcels: list[Parcel]


Record = tuple[list[Tally], list[Seen]]
"""What devices have come to, and the rounds of their homes."""


class Died(FolkmootError):
    """A process of the simulation has ended by itself."""


class Crew(Protocol):
    """Some homes, wherever they are."""

    branches: range

    def begin(self, step: Step) -> None:
        """Has them take a step."""
        ...

    @classmethod
    def first(cls, busy: Sequence[Self]) -> Self:
        """Gives one of these that has taken its step, or has failed to, once one has."""
        ...

    def end(self) -> Moved:
        """Gives what came of it, at first what is next."""
        ...

    def close(self, now: int) -> None:
        """Has them end at `now`, in ms."""
        ...

    def record(self) -> Record:
        """Gives what their devices have come to by the end, and their rounds."""
        ...

    def leave(self) -> None:
        """Lets go of whatever is left of them."""
        ...


Hire = Callable[[Scenario, bytes, int], Sequence[Crew]]
"""Takes a scenario, its program and a number of workers; gives all its homes, in crews."""


def settle(scenario: Scenario, numbers: range, program: bytes) -> Branches:
    """Builds homes. Raises UserFault where there are no examples for them."""
    manifest = bundle.program(program).manifest
    school = School(examples.make(scenario, manifest.contract), scenario.data.holdout)
    return Branches(Ground(scenario, school, manifest.contract.name, manifest.layout.nbytes), numbers)


class Here:
    """Homes in this process."""

    def __init__(self, scenario: Scenario, branches: range, program: bytes) -> None:
        self.branches = branches
        self._settled = settle(scenario, branches, program)
        self._moved = Moved(self._settled.next, [])
        self._record: Record

    def begin(self, step: Step) -> None:
        """Has them take a step."""
        parcels = self._settled.advance(*step)
        self._moved = Moved(self._settled.next, parcels)

    @classmethod
    def first(cls, busy: Sequence[Self]) -> Self:
        """Gives one of these, which has taken its step."""
        return busy[0]

    def end(self) -> Moved:
        """Gives what came of it, at first what is next."""
        return self._moved

    def close(self, now: int) -> None:
        """Has them end at `now`, in ms."""
        self._record = self._settled.close(now)

    def record(self) -> Record:
        """Gives what their devices have come to by the end, and their rounds."""
        return self._record

    def leave(self) -> None:
        """Does nothing: they go with this process."""


class There:
    """Homes in a process of their own."""

    def __init__(self, scenario: Scenario, branches: range, program: bytes) -> None:
        self.branches = branches
        # Forked: what is loaded and dealt here is there, and not once more in memory.
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._pipe, scenario, branches, program), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, step: Step) -> None:
        """Has them take a step."""
        with suppress(BrokenPipeError):  # `end` says so
            self._pipe.send(step)

    @classmethod
    def first(cls, busy: Sequence[Self]) -> Self:
        """Gives one of these that has taken its step, or has ended, once one has."""
        done = multiprocessing.connection.wait([each._pipe for each in busy])
        return next(each for each in busy if each._pipe in done)

    def end(self) -> Moved:
        """Gives what came of it, at first what is next. Raises Died."""
        found = self._receive()
        assert isinstance(found, Moved)
        return found

    def close(self, now: int) -> None:
        """Has them end at `now`, in ms."""
        with suppress(BrokenPipeError):  # `record` says so
            self._pipe.send(now)

    def record(self) -> Record:
        """Gives what their devices have come to by the end, and their rounds. Raises Died."""
        found: Record = self._receive()
        return found

    def leave(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def _receive(self) -> Any:
        try:
            found = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise Died("a process of the simulation has ended: what it said stands above") from None
        if isinstance(found, FolkmootError):
            raise found
        return found


def _serve(pipe: Connection, other: Connection, scenario: Scenario, branches: range, program: bytes) -> None:
    other.close()
    try:
        settled = settle(scenario, branches, program)
        pipe.send(Moved(settled.next, []))
        while not isinstance(step := pipe.recv(), int):
            parcels = settled.advance(*step)
            pipe.send(Moved(settled.next, parcels))
        pipe.send(settled.close(step))
    except FolkmootError as fault:
        pipe.send(fault)
    except (EOFError, KeyboardInterrupt):
        pass  # whoever wanted it is gone


def hire(scenario: Scenario, program: bytes, workers: int) -> list[Crew]:
    """Gives the homes of a scenario, in this process (0 workers) or in so many others."""
    branches = profile.branches(scenario)
    if not workers:
        return [Here(scenario, range(branches), program)]
    for name in ("gateway", "device"):
        tier(name)  # once for all processes
    count = min(workers, branches)
    return [There(scenario, range(at * branches // count, (at + 1) * branches // count), program) for at in range(count)]
