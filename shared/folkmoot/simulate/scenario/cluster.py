"""Homes on the machines of a Ray cluster: actors take the steps that processes beside this one take elsewhere.

Needs the extra `ray`, and the same Folkmoot on every machine of the cluster.
"""

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Self

import ray
from ray.exceptions import RayError

from folkmoot import __version__
from folkmoot.errors import FolkmootError, UserFault
from folkmoot.simulate.scenario import crew, profile
from folkmoot.simulate.scenario.branches import Branches
from folkmoot.simulate.scenario.crew import Crew, Died, Hire, Moved, Record, Step
from folkmoot.simulate.scenario.document import Scenario

PATIENCE, PAUSE = 5.0, 0.1  # seconds in which a cluster is to say something, or to have room, and between two looks at it
# What a client of HTTP/2 says first, with no settings of its own (RFC 9113, 3.4 and 6.5): Ray's head node speaks gRPC over it.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
SETTINGS = 4  # the type of a frame


class Settled:
    """Some homes in a process of a machine of the cluster. A fault of Folkmoot's own is given back, not raised."""

    def __init__(self, given: tuple[Scenario, bytes], branches: range) -> None:
        logging.disable(logging.WARNING)  # of thousands of machines, which come and go
        self._given, self._numbers = given, branches
        self._branches: Branches

    def settle(self) -> tuple[str, str, Moved] | FolkmootError:
        """Builds the homes; gives the machine, its Folkmoot's version, and what is next."""
        scenario, program = self._given
        try:
            self._branches = crew.settle(scenario, self._numbers, program)
        except FolkmootError as fault:
            return fault
        return ray.get_runtime_context().get_node_id(), __version__, Moved(self._branches.next, [])

    def advance(self, step: Step) -> Moved | FolkmootError:
        """Has them take a step."""
        try:
            parcels = self._branches.advance(*step)
        except FolkmootError as fault:
            return fault
        return Moved(self._branches.next, parcels)

    def close(self, now: int) -> Record:
        """Gives what devices have come to, and the rounds of their homes."""
        return self._branches.close(now)


class Elsewhere:
    """Homes on some machine of the cluster (folkmoot.simulate.scenario.crew.Crew)."""

    def __init__(self, actor: Any, branches: range) -> None:
        self.branches = branches
        self.node = ""  # the machine's id in the cluster, once they are there
        self._actor = actor
        self._pending = actor.settle.remote()

    def begin(self, step: Step) -> None:
        """Has them take a step."""
        self._pending = self._actor.advance.remote(step)

    @classmethod
    def first(cls, busy: Sequence[Self]) -> Self:
        """Gives one of these that has taken its step, or has ended, once one has."""
        done, _ = ray.wait([each._pending for each in busy])
        return next(each for each in busy if each._pending in done)

    def end(self) -> Moved:
        """Gives what came of it, at first what is next. Raises Died."""
        found = self._receive()
        if isinstance(found, tuple):
            self.node, version, found = found
            if version != __version__:
                raise UserFault(f"a machine of the cluster has Folkmoot {version}, this one {__version__}: install the same")
        assert isinstance(found, Moved)
        return found

    def close(self, now: int) -> None:
        """Has them end at `now`, in ms."""
        self._pending = self._actor.close.remote(now)

    def record(self) -> Record:
        """Gives what their devices have come to by the end, and their rounds. Raises Died."""
        found: Record = self._receive()
        return found

    def leave(self) -> None:
        """Ends the actor, whatever it is doing."""
        ray.kill(self._actor)

    def _receive(self) -> Any:
        try:
            found = ray.get(self._pending)
        except RayError as error:
            raise Died(f"homes on a machine of the cluster have ended: {_first(error)}") from None
        if isinstance(found, FolkmootError):
            raise found
        return found


def hire(scenario: Scenario, program: bytes, workers: int) -> list[Crew]:
    """Gives the homes of a scenario in so many actors, spread over the machines of the cluster that this process is part of."""
    branches = profile.branches(scenario)
    count = min(workers, branches)
    given = ray.put((scenario, program))  # once for each machine, not for each actor
    made = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(Settled)
    ranges = [range(at * branches // count, (at + 1) * branches // count) for at in range(count)]
    return [Elsewhere(made.remote(given, some), some) for some in ranges]


@contextmanager
def connected(address: str, workers: int | None) -> Iterator[tuple[Hire, int]]:
    """Joins the cluster at `address`, or, without one, begins one on this machine alone and ends it afterwards.

    Gives what hires there, and how many actors there are to be: `workers`, or one for each CPU that is free.

    Raises UserFault, with one sentence, where nobody or somebody else answers, and where there are not so many CPUs.
    """
    if workers == 0:
        raise UserFault("--workers 0 has the homes in this process: with --engine ray ask for one actor at least")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to anybody
    if address:
        _check(address)
    settings = {"address": address} if address else {"address": "local", "num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(**settings, log_to_driver=False, logging_level=logging.ERROR)
    except (RayError, ConnectionError, RuntimeError, ValueError) as error:
        raise UserFault(f"the cluster at {address or 'this machine'} cannot be joined: {error}") from None
    try:
        count = _room(workers)
        yield hire, count
    finally:
        ray.shutdown()


def _room(workers: int | None) -> int:
    """Gives how many actors there is a CPU for, `workers` of them where that is a number. Raises UserFault."""
    until = monotonic() + PATIENCE
    while (free := int(ray.available_resources().get("CPU", 0))) < (workers or 1):
        if monotonic() > until:
            there = int(ray.cluster_resources().get("CPU", 0))
            raise UserFault(
                f"{workers or 1} actors need a CPU each, and {free} of the cluster's {there} are free: ask for fewer"
            )
        sleep(PAUSE)  # what ended just now is given back after a while, and Ray does not say when
    return workers or free


def _check(address: str) -> None:
    """Makes sure that something answers which could be Ray: its own attempt to connect says nothing for minutes."""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise UserFault(f"--address {address!r}: write HOST:PORT of the cluster's head node, such as 10.0.0.7:6379")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE) as line:
            line.sendall(HELLO)
            said = line.recv(9)
    except TimeoutError:
        said = b""
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserFault(f"nobody answers at {address} ({why}): is that the head node of the cluster, and is it up?") from None
    if len(said) < 4 or said[3] != SETTINGS:
        raise UserFault(f"whoever answers at {address} is no head node of a Ray cluster: name its port, 6379 unless it was set")


def _first(error: BaseException) -> str:
    """Gives the first line of what an error says."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
