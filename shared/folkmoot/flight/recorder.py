"""The recorder: writes down what a node is handed, and changes nothing of what it does.

A step is written after it was decided and before it is stored, with one call to the system and no sync. Whatever goes wrong
with the recording ends the recording and nothing else: one line in the log, and the node goes on.
"""

import errno
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from folkmoot import __version__
from folkmoot.clock import Source, wall_ms
from folkmoot.errors import UserFault
from folkmoot.flight import entry
from folkmoot.flight.craft import Craft
from folkmoot.flight.entry import Begin, Early, End, Input, Join, Message, Other, Sent, Standing, Step
from folkmoot.flight.part import LIMIT, Writer
from folkmoot.flight.port import NotedLibrary, NotedOutbox, NotedSpool, Notes
from folkmoot.hop.batch import Batch
from folkmoot.hop.ports import Blobs, Outbox, Spool
from folkmoot.link.face import Arrived, Connected, Disconnected
from folkmoot.serve.driver import Input as Taken
from folkmoot.serve.driver import Node
from folkmoot.store import disk

log = logging.getLogger(__name__)

HopSent = Callable[[str, bytes, int], None]


class Flight(Protocol):
    """One life of a node, which may be recorded."""

    def library(self, blobs: Any) -> Any:
        """Gives the library that the node is to use."""
        ...

    def spool(self, spool: Any) -> Any:
        """Gives the spool that the node is to use."""
        ...

    def outbox(self, outbox: Any) -> Any:
        """Gives the outbox that the node is to use."""
        ...

    def births(self, births: Callable[[str], int]) -> Callable[[str], int]:
        """Gives the counter of connections that the node is to ask."""
        ...

    def sent(self, heard: HopSent) -> HopSent:
        """Gives who is to hear of messages that have left."""
        ...

    def begin(self, craft: Craft, now: int) -> None:
        """Hears that the life begins: the node is restored, and the time is `now`."""
        ...

    def wrap(self, node: Any) -> Any:
        """Gives the node that is to be driven in its place."""
        ...

    def end(self) -> None:
        """Hears that the life has ended in order."""
        ...


class Unrecorded:
    """A life that nobody records: everything stays as it is."""

    def library(self, blobs: Any) -> Any:
        """Gives the same."""
        return blobs

    def spool(self, spool: Any) -> Any:
        """Gives the same."""
        return spool

    def outbox(self, outbox: Any) -> Any:
        """Gives the same."""
        return outbox

    def births(self, births: Callable[[str], int]) -> Callable[[str], int]:
        """Gives the same."""
        return births

    def sent(self, heard: HopSent) -> HopSent:
        """Gives the same."""
        return heard

    def begin(self, craft: Craft, now: int) -> None:
        """Does nothing."""

    def wrap(self, node: Any) -> Any:
        """Gives the same."""
        return node

    def end(self) -> None:
        """Does nothing."""


UNRECORDED = Unrecorded()


class Recorder:
    """The recording of one node, over all lives that it has in this process."""

    def __init__(self, folder: Path, limit: int = LIMIT, wall: Source = wall_ms, spare: int | None = None) -> None:
        """`folder`: of this node's recording alone; `limit`: bytes. Raises UserFault where it cannot be written to.

        A disk that is full or fails is no reason: then nothing is recorded.
        """
        self.wall = wall
        self.notes = Notes()
        self.writer: Writer | None = None
        self._folder = folder
        try:
            self.writer = Writer(folder, limit) if spare is None else Writer(folder, limit, spare)
        except OSError as error:
            if disk.about(error, folder) is None:
                raise UserFault(f"record: {folder} cannot be used: {(error.strerror or str(error)).lower()}") from None
            self.stop(error)
            return
        log.warning("recording is on: all that comes in, what devices have learnt included", extra={"folder": str(folder)})

    def flight(self) -> Flight:
        """Gives what records the next life."""
        return Recorded(self) if self.writer is not None else UNRECORDED

    def write(self, head: entry.Entry, attached: Sequence[bytes] = ()) -> None:
        """Writes a record. Raises OSError."""
        if self.writer is not None:
            self.writer.write(entry.encode(head), attached)

    def stop(self, error: Exception) -> None:
        """Records nothing any more."""
        if isinstance(error, OSError):
            full = error.errno in disk.FULL or error.errno == errno.ENOSPC
            why = "there is no room" if full else "the disk does not do"
            log.warning(f"recording stops: {why}", extra={"folder": str(self._folder), "reason": str(error)})
        else:  # a bug of ours must not end the node
            log.error("recording stops: a bug of Folkmoot", extra={"folder": str(self._folder)}, exc_info=error)
        self.close()

    def close(self) -> None:
        """Ends the recording."""
        self.notes.on = False
        if self.writer is not None:
            self.writer.close()
        self.writer = None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Does something in which the recording may end, and nothing else."""
        try:
            yield
        except Exception as error:
            self.stop(error)


def check(folder: Path | None) -> None:
    """Makes the folder that settings name, where they name one. Raises UserFault where nothing can be written to it."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        if disk.about(error, folder) is None:
            raise UserFault(f"record: {folder} cannot be used: {(error.strerror or str(error)).lower()}") from None
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise UserFault(f"record: {folder} cannot be used: permission denied")


def recorder(folder: Path | None, name: str, limit: int) -> Recorder | None:
    """Gives the recorder that settings ask for; `name`: of the node among those that record into `folder`. Raises UserFault."""
    check(folder)
    return None if folder is None else Recorder(folder / name, limit)


def flight(recorder: Recorder | None) -> Flight:
    """Gives a life of a node that may have no recorder."""
    return UNRECORDED if recorder is None else recorder.flight()


class Recorded:
    """A life that is recorded (Flight)."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._notes = recorder.notes
        self._notes.take()  # the last step of the life before may have come to nothing,
        self._notes.forget()  # and whoever reads the recording has not seen what was in it
        self._craft: Craft
        self._sent: list[Sent] = []
        self._early: dict[str, Early] = {}
        self._joining: set[str] = set()
        self._inputs: list[Input] = []
        self._messages: list[bytes] = []
        self.stored = True  # the last step

    @property
    def on(self) -> bool:
        """Whether it still is."""
        return self._recorder.writer is not None

    def library(self, blobs: Blobs) -> NotedLibrary:
        """Gives a library that notes."""
        return NotedLibrary(blobs, self._notes)

    def spool(self, spool: Spool) -> NotedSpool:
        """Gives a spool that notes."""
        return NotedSpool(spool, self._notes)

    def outbox(self, outbox: Outbox) -> NotedOutbox:
        """Gives an outbox that notes."""
        return NotedOutbox(outbox, self._notes)

    def births(self, births: Callable[[str], int]) -> Callable[[str], int]:
        """Gives a counter that notes."""
        return lambda hop: self._notes.ask("births", hop.encode(), lambda: births(hop))

    def sent(self, heard: HopSent) -> HopSent:
        """Gives who notes what has left, and tells `heard`."""

        def hear(member: str, ask: bytes, size: int) -> None:
            heard(member, ask, size)
            if ask and self.on:
                self._sent.append(Sent(member, ask, size))

        return hear

    def begin(self, craft: Craft, now: int) -> None:
        """Writes how the life begins."""
        self._craft = craft
        with self._recorder.guarded():
            calls, contents = self._notes.take()
            self._begin(craft.start(), now, life=True, calls=calls, contents=contents)

    def wrap(self, node: Node) -> "Taped":
        """Gives the node that writes its steps."""
        return Taped(node, self)

    def end(self) -> None:
        """Writes that the life has ended in order."""
        with self._recorder.guarded():
            self._recorder.write(End(self.stored))

    def take(self, inputs: Sequence[Taken], now: int) -> Sequence[Taken]:
        """Notes what is about to be handed to the node; gives what is."""
        self._inputs, self._messages = [], []
        with self._recorder.guarded():
            assert self._recorder.writer is not None
            if self._recorder.writer.long:
                self._turn(now)
            return [(source, self._note(source, event)) for source, event in inputs]
        return inputs

    def note(self, batches: Mapping[str, Batch], now: int) -> None:
        """Writes the step."""
        self.stored = False
        with self._recorder.guarded():
            outcomes = self._craft.outcomes(batches)
            calls, contents = self._notes.take()
            sent, self._sent = self._sent, []
            for batch in batches.values():
                for keep in batch.keeps:
                    self._notes.known.put(keep.payload, len(keep.content), len(keep.content))
            step = Step(
                now, self._inputs, sent, calls, shape(batches), outcomes, [*map(len, self._messages)], [*map(len, contents)]
            )
            self._recorder.write(step, [*self._messages, *contents])
            self._hold(now, calls)
            if self._joining:
                self._join(batches, now)

    def _note(self, source: str, event: Any) -> Any:
        """Notes one input; gives it as it is to be handed on."""
        match event:
            case Arrived():
                self._inputs.append(Message(source, event.topic, event.retained))
                self._messages.append(event.payload)
            case Connected():
                limits = event.limits
                self._inputs.append(Standing(source, True, event.resumed, limits.window, limits.max_packet))
            case Disconnected():
                self._inputs.append(Standing(source, False))
            case _:
                written = self._craft.write(event, self._notes)
                if written is not None:
                    event, word, content = written
                    self._inputs.append(Other(source, word, content))
        return event

    def _hold(self, now: int, calls: list[entry.Call]) -> None:
        """Remembers what holds until something else of its kind comes."""
        messages = iter(self._messages)
        for one in self._inputs:
            if isinstance(one, Standing):
                births = [call for call in calls if call.name == "births" and call.key == one.source.encode()]
                self._early[one.source] = Early(now, one, b"", births)
            elif isinstance(one, Message):
                payload = next(messages)
                if self._craft.standing(one.topic):
                    self._early[one.topic] = Early(now, one, payload, [])

    # In the middle of a life.

    def _turn(self, now: int) -> None:
        """Begins another part, which can be read without those before it."""
        assert self._recorder.writer is not None
        self._recorder.writer.turn()
        self._notes.forget()
        self._begin(self._craft.now(), now, life=False, calls=[], contents=[])
        self._joining = set(self._craft.joining())
        self._join({}, now)

    def _begin(self, state: bytes, now: int, *, life: bool, calls: list[entry.Call], contents: list[bytes]) -> None:
        craft = self._craft
        early = sorted(self._early.values(), key=lambda one: one.now)
        begin = Begin(
            tier=craft.tier,
            name=craft.name,
            life=life,
            now=now,
            wall=self._recorder.wall(),
            software=__version__,
            frame=craft.frame,
            state=state,
            calls=calls,
            early=early,
            contents=[*map(len, contents)],
        )
        self._recorder.write(begin, contents)

    def _join(self, batches: Mapping[str, Batch], now: int) -> None:
        """Writes what a reader who starts with this part can be given by now."""
        for name, word, content in self._craft.joins(self._joining, batches, self._notes):
            self._joining.discard(name)
            _, contents = self._notes.take()
            self._recorder.write(Join(name, now, Other("", word, content), [*map(len, contents)]), contents)


class Taped:
    """A node whose steps are recorded (folkmoot.serve.driver.Node)."""

    def __init__(self, node: Node, flight: Recorded) -> None:
        self._node: Any = node
        self._flight = flight

    @property
    def wake(self) -> int | None:
        """When to step although nothing has come."""
        wake: int | None = self._node.wake
        return wake

    def step(self, inputs: Sequence[Taken], now: int) -> Mapping[str, Batch]:
        """Takes all that has come, and has it written."""
        if not self._flight.on:
            found: Mapping[str, Batch] = self._node.step(inputs, now)
            return found
        handed = self._flight.take(inputs, now)
        batches: Mapping[str, Batch] = self._node.step(handed, now)
        self._flight.note(batches, now)
        return batches

    def perform(self) -> None:
        """The step is stored."""
        self._flight.stored = True
        self._node.perform()

    def rest(self) -> Any:
        """Ends the work that is under way."""
        return self._node.rest()


def shape(batches: Mapping[str, Batch]) -> list[int]:
    """Gives how much came of a step, hop by hop: enough to see where a replay goes another way."""
    return [
        count
        for hop in sorted(batches)
        for count in (len(batches[hop].sends), len(batches[hop].journal), len(batches[hop].keeps), len(batches[hop].faults))
    ]
