"""One run's way from model to model: whom the next round asks, and what its answers make of the model. No I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from random import Random
from typing import Literal

from folkmoot import arrays, parts
from folkmoot.errors import PeerFault
from folkmoot.hop import events, round
from folkmoot.hop.belated import Welcome
from folkmoot.hop.ids import ask_id, local_id
from folkmoot.hop.ports import Late
from folkmoot.selector import Eligible, Selector
from folkmoot.strategy import Model, Strategy
from folkmoot.wire import codec
from folkmoot.wire.bundle import Manifest
from folkmoot.wire.messages import Answer, Ask, Hello, Invited, Offline, Plan, Scalar
from folkmoot.wire.partial import Partial
from folkmoot_cloud.runner.past import Past

Phase = Literal["train", "evaluate"]
UNIT = 1 << 20  # losses travel as integers in units of 2^-20


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who may be invited, and how many of them."""

    devices: int | None = None  # wanted answers; None: everybody who is eligible
    fraction: float | None = None  # of the eligible, instead of a number
    gateways: frozenset[str] | None = None  # only below these
    listed: frozenset[str] | None = None  # only these devices

    def admits(self, device: Eligible) -> bool:
        """Whether this device may be invited."""
        below = self.gateways is None or device.gateway in self.gateways
        return below and (self.listed is None or device.device in self.listed)

    def size(self, eligible: int) -> int:
        """Gives how many answers are wanted of so many eligible devices."""
        if self.fraction is not None:
            return max(1, ceil(self.fraction * eligible))
        return eligible if self.devices is None else min(self.devices, eligible)

    def choose(
        self, fleet: Sequence[Eligible], selector: Selector, over_selection: float, most: int, rng: Random
    ) -> tuple[list[Eligible], int]:
        """Gives whom of the eligible a round asks, at most `most`, and its goal: answers with which it closes; 0 for all."""
        wanted = self.size(len(fleet))
        picked = selector.pick(fleet, min(ceil(wanted * over_selection), len(fleet), most), rng)
        return picked, wanted if wanted < len(picked) else 0


@dataclass(frozen=True, slots=True)
class Spec:
    """What an operator asked for, with the task that it is about."""

    run: str
    program: bytes  # the program blob
    manifest: Manifest
    strategy: Strategy
    strategy_name: str
    options: Mapping[str, Scalar]
    selector: Selector
    cohort: Cohort
    plan: Plan
    minimum: int  # answers, in devices
    deadline: int  # ms
    over_selection: float
    evaluate: bool
    scale: int
    bound: float
    cap: int
    total: int
    secret: str  # makes the choice of cohorts unpredictable from outside and repeatable from inside
    offline: Offline | None = None  # what members may do that cannot be reached, and what it counts
    buffer: int = 0  # devices whose answers, to whichever round, make a version (FedBuff's K); 0: rounds are synchronous
    transform: str | None = None  # how devices' updates travel (folkmoot.transforms); None: in float32


@dataclass(frozen=True, slots=True)
class Waiting:
    """The next round cannot open yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a model is on the members' hold-outs: exact sums, and what follows from them."""

    examples: int
    members: int
    loss: float | None
    accuracy: float | None


@dataclass(slots=True)
class Campaign:
    """One run under way."""

    spec: Spec
    model: Model
    block: bytes  # the model's weights, as they travel
    version: int  # of the model, within the run; 0 is what it started from
    number: int  # of the last round that is over
    rounds: int  # wanted
    desired: Literal["run", "pause", "stop"] = "run"
    evaluated: int = -1  # newest version whose quality is known
    key: str = ""  # of the round that is open
    phase: Phase = "train"
    waiting: str = ""
    past: Past = field(default_factory=Past)
    _digest: bytes = field(default=b"", repr=False)

    @property
    def next_phase(self) -> Phase | None:
        """What comes next; None when the run is complete."""
        if self.number < self.rounds:
            return "train"
        if self.spec.evaluate and self.evaluated < self.version:
            return "evaluate"
        return None

    def open(self, ready: Mapping[str, Hello], now: int, grace: int) -> events.Opened | Waiting:
        """Gives the next round, if enough devices are there; `ready` are the gateways that can be asked."""
        phase = self.next_phase
        assert phase is not None
        fleet = [one for one in eligible(ready, self.spec.manifest.contract.name) if self.spec.cohort.admits(one)]
        if len(fleet) < self.spec.minimum:
            return Waiting(f"{len(fleet)} devices are ready; the run needs {self.spec.minimum}")
        number = self.number + (phase == "train")
        key = f"{self.spec.run}/{number}/{phase}"
        rng = Random(f"{self.spec.secret}/{key}")  # noqa: S311  # not for keys
        # No sum of weights may pass `total`: the cap of one leaf bounds how many may be invited (parts.check_scale).
        most = self.spec.total // self.spec.cap
        working = self.working(now) if phase == "train" and self.spec.buffer else None
        if working is None:
            picked, goal = self.spec.cohort.choose(fleet, self.spec.selector, self.spec.over_selection, most, rng)
            share = goal
        else:
            busy = sum(len(devices) for _, devices in working.values())
            free = [one for one in fleet if one.gateway not in working]
            wanted = ceil(self.spec.cohort.size(len(fleet)) * self.spec.over_selection)
            picked = self.spec.selector.pick(free, min(max(0, wanted - busy), len(free), most), rng)
            goal, share = min(self.spec.buffer, busy + len(picked)), 0  # a home answers with all of its devices
        terms = events.Terms(
            deadline=now + self.spec.deadline,
            minimum=self.spec.minimum,
            goal=goal,
            grace=grace,
            behind=None if working is None else len(working),
        )
        self.key, self.phase, self.waiting = key, phase, ""
        return events.Opened(key, self._ask(phase, number), terms, _by_gateway(picked, share))

    def working(self, now: int) -> dict[str, tuple[bytes, frozenset[str]]]:
        """Gives the homes that work for rounds that are over, as far as anybody knows, with their Asks and devices.

        An Ask is over at its deadline, and when its answer could not count any more.
        """
        return {
            member: (own, devices or frozenset())
            for number, kept in self.past.rounds.items()
            for member, devices in kept.asked.items()
            if now < kept.until and (own := self._own(number, member)) not in kept.counted
        }

    def expects(self, member: str, ask: bytes, now: int) -> bool:
        """Whether a member is to go on with an Ask whose round is over."""
        return bool(self.spec.buffer) and any(own == ask for name, (own, _) in self.working(now).items() if name == member)

    def release(self, member: str, ask: bytes) -> None:
        """Notes that a member of an asynchronous run has had its word about an Ask whose round is over, and is free."""
        for number, kept in self.past.rounds.items() if self.spec.buffer else ():
            if member in kept.asked and self._own(number, member) == ask:
                self.past = self.past.without(number, member)
                return

    def _own(self, number: int, member: str) -> bytes:
        """Gives the id of the Ask that a member had in a training round."""
        return ask_id(f"{self.spec.run}/{number}/train", member)

    def _ask(self, phase: Phase, number: int) -> Ask:
        program, spec = codec.digest(self.spec.program), self.spec
        return Ask(
            run=spec.run,
            round=number,
            phase=phase,
            strategy=spec.strategy_name,
            options=dict(spec.options),
            program=program,
            weights=self.digest,
            base=self.version,
            plan=spec.strategy.plan(spec.plan),
            scale=spec.scale,
            bound=spec.bound,
            cap=spec.cap,
            total=spec.total,
            evaluate=spec.evaluate and self.evaluated < self.version,
            size=len(self.block),
            program_size=len(spec.program),
            offline=spec.offline if phase == "train" else None,
            transform=spec.transform if phase == "train" else None,
        )

    @property
    def digest(self) -> bytes:
        """The sha256 of the model's weights: its `model_sha256`."""
        if not self._digest:
            self._digest = codec.digest(self.block)
        return self._digest

    @property
    def blobs(self) -> Mapping[bytes, bytes]:
        """What members of the next round may pull."""
        return {codec.digest(self.spec.program): self.spec.program, self.digest: self.block}

    def learn(self, sums: Partial) -> bool:
        """Takes the step that a closed round's sums ask for; says whether there was one to take."""
        layout = self.spec.manifest.layout
        try:
            mean = parts.mean(sums, layout, self.spec.scale)
        except PeerFault:
            return False
        roles = {tensor.name: tensor.role for tensor in layout.tensors}
        made = self.spec.strategy.step(self.model, mean, roles)
        self.block = arrays.pack(layout, made.weights)
        self.model = Model(arrays.unpack(layout, self.block), made.state)  # views: the weights are there once
        self._digest = b""
        self.version += 1
        return True

    def close(self, number: int) -> None:
        """Notes that the open round is over."""
        self.number, self.key = number, ""

    def closed(self, machine: round.Round) -> None:
        """Notes a training round that is over: whose answers may still come, and what has been counted."""
        ask = machine.opened.ask
        if self.spec.offline is not None:
            self.past = self.past.after(machine, oldest=self.version - self.spec.offline.staleness)
        self.close(ask.round)

    def names(self, member: str, ask: bytes, answer: Answer) -> bool:
        """Whether an Ask id is of a training round that this run has had, and of this member, as the answer says."""
        newest = self.number + (1 if self.key and self.phase == "train" else 0)
        own = self._own(answer.round, member)
        return 0 < answer.round <= newest and ask == (local_id(own, answer.local) if answer.local else own)

    def standing(self, member: str, ask: bytes, answer: Answer) -> Welcome | Literal["late", "dup", "wait"]:
        """Gives what an answer counts that a member gives to an Ask of a round that is over (folkmoot.hop.belated)."""
        policy, kept = self.spec.offline, self.past.rounds.get(answer.round)
        if policy is None or answer.local > policy.rounds or not self.names(member, ask, answer):
            return "late"
        if answer.round > self.number:
            return "wait"  # of a local round after the Ask of the round that is open
        if kept is None:
            return "late"
        if ask in kept.counted:
            return "dup"
        behind = self.version - kept.base + answer.local
        if answer.local and member in kept.cut:
            return "late"
        if member not in kept.asked or behind > policy.staleness:
            return "late"
        if not self.key or self.phase != "train":
            return "wait" if self.next_phase == "train" and self.desired != "stop" else "late"
        factor = parts.staleness(behind, policy.discount)
        return Welcome(self.key, kept.asked[member], Late(kept.base, kept.weights, factor))


def quality(sums: Partial) -> Quality | None:
    """Gives how good the base model was, as the sums of a round tell; None where nobody has evaluated it."""
    examples = sums.metrics.get("eval_count", 0)
    if not examples:
        return None
    members = sums.metrics.get("eval_members", 0)
    loss, correct = sums.metrics.get("eval_loss_u20"), sums.metrics.get("eval_correct")
    return Quality(
        examples,
        members,
        None if loss is None else loss / UNIT / examples,
        None if correct is None else correct / examples,
    )


def eligible(ready: Mapping[str, Hello], contract: str) -> list[Eligible]:
    """Gives the devices that are up, below a gateway that is ready, with examples of the right kind."""
    return [
        Eligible(device.name, gateway, device.examples)
        for gateway, hello in ready.items()
        for device in hello.devices or ()
        if device.state == "up" and not device.why_not and device.data == contract and device.examples > 0
    ]


def _by_gateway(picked: Sequence[Eligible], goal: int) -> tuple[events.Invitation, ...]:
    """Gives an invitation for each gateway, with its share of the goal."""
    homes: dict[str, list[Invited]] = {}
    for one in picked:
        homes.setdefault(one.gateway, []).append(Invited(one.device))
    return tuple(
        events.Invitation(gateway, tuple(leaves), -(-goal * len(leaves) // len(picked)))
        for gateway, leaves in sorted(homes.items())
    )
