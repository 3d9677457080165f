"""The work of a scenario's devices: real training, one interpreter for each program and process, in virtual time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from folkmoot.errors import PeerFault
from folkmoot.hop import member
from folkmoot.link.agenda import Agenda
from folkmoot.serve import conversation
from folkmoot.serve.batches import JobFault
from folkmoot.serve.lesson import Lesson, learn
from folkmoot.serve.program import Learner
from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.examples import Examples, Held
from folkmoot.simulate.scenario.profile import Device
from folkmoot.simulate.scenario.tape import Tape
from folkmoot.simulate.scenario.unlearnt import Unlearnt
from folkmoot.simulate.tiers import tier
from folkmoot.wire import bundle
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Hello

MAX_PACKET = 262_144  # bytes
EVALUATION = 1 / 3  # of a step: forward alone


def _never() -> None:
    """Nobody ends this job early."""


class School:
    """The programs of one process, loaded."""

    def __init__(self, examples: Examples, holdout: float) -> None:
        """`holdout`: share of each device's examples that it is evaluated on."""
        self.examples = examples
        self.holdout = holdout
        self._learners: dict[bytes, Learner] = {}
        self._layouts: dict[bytes, Layout] = {}

    def teach(
        self, device: Device, ask: conversation.Work, program: bytes, weights: bytes, read: Callable[[], bytes]
    ) -> Lesson:
        """Does a device's work; `program`: its sha256, which `read` gives the bytes of. Raises JobFault."""
        if isinstance(self.examples, Unlearnt):
            layout = self._layouts.get(program)
            if layout is None:
                layout = self._layouts[program] = bundle.program(read()).manifest.layout
            return self.examples.lesson(device.number, ask, layout)
        learner = self._learners.get(program)
        if learner is None:
            learner = self._learners[program] = Learner(bundle.program(read()))
        learner.set_weights(weights)
        x, y = self.examples.of(device.number)
        batches = Held(x, y, self.held(len(y)), learner.manifest.batch)
        return learn(learner, batches, ask, _never)

    def held(self, size: int) -> int:
        """Gives how many of so many examples are held out: at least one is left to train on."""
        return min(size - 1, round(self.holdout * size))


@dataclass(slots=True)
class Job:
    """One device's part in one phase of one round, in ms of virtual time."""

    round: int
    phase: str
    asked: int
    ends: int
    examples: int


class Trade:
    """What one device knows of its work (folkmoot_device.simulated.Trade)."""

    __slots__ = ("_agenda", "_device", "_school", "_times", "hello", "jobs")

    def __init__(self, device: Device, school: School, hello: Hello, agenda: Agenda) -> None:
        self._device = device
        self._school = school
        self._agenda = agenda
        self._times = None if device.kind.job_seconds is None else Tape(profile.jobs, device)
        self.hello = hello
        self.jobs: list[Job] = []  # a device that was started again in the middle of one does it again

    def worked(self, since: int, now: int) -> int:
        """Gives for how many ms it has worked between two times; `since` is never earlier than at the last call."""
        total = 0
        for job in reversed(self.jobs):
            if job.ends <= since:
                break
            total += max(0, min(job.ends, now) - max(job.asked, since))
        return total

    def stop(self) -> None:
        """Its work ends now, whatever it would have become."""
        if self.jobs:
            self.jobs[-1].ends = min(self.jobs[-1].ends, self._agenda.now)

    def work(self, item: member.Member, library: Any) -> Any:
        """Does an Ask now, which ends when this device would have done it."""
        ask, device = item.ask, self._device
        job = conversation.Work(**conversation.wanted(device.name, ask))
        work = tier("device").Work
        began, overhead = self._agenda.now, device.kind.overhead_ms
        try:
            lesson = self._school.teach(device, job, ask.program, library.read(ask.weights), lambda: library.read(ask.program))
        except (JobFault, PeerFault) as fault:
            return work(round(overhead), failure=(fault.reason, fault.detail))
        steps = lesson.steps + EVALUATION * (ask.evaluate or not lesson.steps)
        drawn = next(self._times) if self._times is not None and ask.phase == "train" else None
        ms = max(1, round(overhead + device.step_ms * steps if drawn is None else drawn))
        self.jobs.append(Job(ask.round, ask.phase, began, began + ms, lesson.examples))
        return work(ms, lesson.payload(device.name, ms / 1000, 0))
