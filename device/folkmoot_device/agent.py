"""A device: a member whose work is training.

The agent takes Asks, has them worked on one at a time by a training process, and offers the answers. Like the gateway's, this
program does no I/O: it imports neither numpy nor a runtime, which live in the training child alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from folkmoot.hop import member
from folkmoot.hop.batch import Batch, Event
from folkmoot.hop.lower import Lower
from folkmoot.link.face import Arrived, Connected, Disconnected
from folkmoot.serve.driver import Input
from folkmoot.wire.messages import Hello


@dataclass(frozen=True, slots=True)
class Trained:
    """The training process has done an Ask."""

    ask: bytes
    payload: bytes  # an encoded partial (folkmoot.wire.partial)


@dataclass(frozen=True, slots=True)
class Failed:
    """The training process could not do an Ask, or was not allowed to."""

    ask: bytes
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rotten:
    """The program or the weights of an Ask have rotted since they came, and are here no more."""

    ask: bytes


class Trainer:
    """What the agent needs of its training process."""

    __slots__ = ("start", "stop")

    def __init__(self, start: Callable[[member.Member], None], stop: Callable[[bytes], None]) -> None:
        """`start(member)` begins the work of an Ask and later posts Trained or Failed; `stop(ask id)` ends it early."""
        self.start = start
        self.stop = stop


class Agent:
    """The program of a device, without its I/O (folkmoot.serve.driver.Node)."""

    __slots__ = ("_above", "_births", "_busy", "_queue", "_stop", "_trainer", "_unready")

    def __init__(self, above: Lower, trainer: Trainer, births: Callable[[], int], unready: Callable[[], str]) -> None:
        """`births`: gives the counter of the present connection; `unready`: gives why not to work now, or ""."""
        self._above = above
        self._trainer = trainer
        self._births = births
        self._unready = unready
        self._queue: list[member.Member] = []
        self._busy: bytes = b""  # the Ask in the training process
        self._stop: bytes = b""  # the Ask to take out of it

    @property
    def wake(self) -> int | None:
        """When to step although nothing has come."""
        return self._above.wake

    def restore(self, histories: Sequence[tuple[str, list[tuple[int, Event]]]]) -> None:
        """Rebuilds what was under way from the journal."""
        for _, history in histories:
            self._above.restore(history)  # type: ignore[arg-type]

    def step(self, inputs: Sequence[Input], now: int) -> Mapping[str, Batch]:
        """Takes all that has come."""
        batch = Batch(now)
        for _, event in inputs:
            match event:
                case Arrived():
                    self._above.receive(batch, event.topic, event.payload)
                    batch.acks.append(event.token)
                case Connected():
                    self._above.limits(event.limits.max_packet)
                    self._above.connected(batch, self._births(), event.resumed)
                case Disconnected():
                    self._above.disconnected()
                case Trained(ask, payload):
                    self._end(ask)
                    if (item := self._working(ask)) is not None:
                        self._above.worked(batch, item, payload)
                case Failed(ask, reason, detail):
                    self._end(ask)
                    if (item := self._working(ask)) is not None:
                        self._above.tell(batch, item, member.Failed(reason, detail))
                case Rotten(ask):
                    self._end(ask)
                    if (item := self._working(ask)) is not None:  # as if it had come again: it waits for what is lacking
                        self._above.tell(batch, item, member.Asked(item.id, item.ask, item.deadline))
                case _:
                    pass
        self._above.tick(batch)
        self._sort(batch)
        return {"up": batch}

    def perform(self) -> None:
        """Starts and stops training, once the step is stored."""
        if self._stop:
            self._trainer.stop(self._stop)
            self._stop = b""
        if not self._busy and self._queue:
            item = self._queue.pop(0)
            self._busy = item.id
            self._trainer.start(item)

    def rest(self) -> Mapping[str, Hello]:
        """Stops training; gives what this device says of itself."""
        if self._busy:
            self._trainer.stop(self._busy)
        return {"up": self._above.hello}

    def _sort(self, batch: Batch) -> None:
        """Queues what is to be done; takes out what is not to be done any more."""
        unwanted, self._above.unwanted = self._above.unwanted, []
        for item in unwanted:
            self._queue = [other for other in self._queue if other is not item]
            if item.id == self._busy:
                self._stop = item.id
        wanted, self._above.wanted = self._above.wanted, []
        for item in wanted:
            if item.id == self._busy or item in self._queue:
                continue
            why_not = self._unready()
            if why_not:
                self._above.tell(batch, item, member.Failed("not_ready", why_not))
            else:
                self._queue.append(item)

    def _working(self, ask: bytes) -> member.Member | None:
        item = self._above.members.get(ask)
        return item if item is not None and item.state == "working" else None

    def _end(self, ask: bytes) -> None:
        if ask == self._busy:
            self._busy = b""
