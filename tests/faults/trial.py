"""One cell, tried: a run begins, the fault is done in its phase, and the town must come out of it whole, with every answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from folkmoot import tasks
from folkmoot.wire.messages import Plan, Receipt, Status
from tests.faults.cells import Cell
from tests.faults.faults import FAULTS, Blow, deadline, strike
from tests.faults.phases import DEVICE, GATEWAY, Watch, view
from tests.faults.stage import DEVICES, HOMES, Stage
from tests.kit import retraining
from tests.kit.cord import FREE, Shape
from tests.kit.spy import Seen

TASK = "digits-mlp"
EPOCHS = 40  # a quarter of a second on one core
ROUNDS = 2  # before one is added in which everybody must be
MOST = 8  # rounds in which the phase is waited for: a device that should not be the last may be that once or twice
TRIES = 3  # rounds until everybody is in one: what the cloud knows of a home is a moment old
LAUNCH = 0.3  # the learning rate
APART = 1e-4  # added to it, again and again, where it is about downloads: to weights that nobody in this town has yet
# A phase that is a transfer lasts long enough to be hit: 20 kB from each member, or 80 kB to all of a home, take a second.
SLOW = Shape(rate=20_000)
SLOW_DOWN = Shape(rate=50_000)
LAST_WORDS = 0.2  # seconds in which a link that is half open now may deliver what it had
LOOK = 0.25  # seconds between two looks at whether a run is over


@dataclass(frozen=True)
class Outcome:
    """How it went."""

    seconds: float | None  # from the end of the fault until what was hit speaks about an Ask again
    closed: float | None  # from there until the round that was hit is over; None where it was before
    hit: bool  # whether the phase still lasted when the fault was there
    rounds: int


def attempt(stage: Stage, cell: Cell) -> Outcome:
    """Tries a cell. Raises AssertionError where the town does not do what was promised."""
    trial = _Trial(stage, cell)
    blow = trial.idle() if cell.phase == "idle" else trial.within()
    return trial.judge(blow)


class _Trial:
    def __init__(self, stage: Stage, cell: Cell) -> None:
        self._stage = stage
        self._cell = cell
        stage.spy.forget()
        self._watch: Watch | None = None
        self._run = ""

    # The fault.

    def idle(self) -> Blow:
        """Strikes while no run is there, and starts one as soon as that can be."""
        reachable = self._cell.node != "cloud"  # the cloud's API

        def launch() -> None:
            if reachable:
                self._launch()

        blow = strike(self._stage, self._cell.fault, self._cell.node, launch)
        if not reachable:
            self._stage.until(self._stage.answers)
            self._launch()
        return blow

    def within(self) -> Blow:
        """Strikes when the phase begins, in the second round or a later one."""
        where = view(self._cell.node, self._cell.phase)
        self._launch()
        self._watch = Watch(self._cell.phase, where, self._run, self._stage.have)
        slow = SLOW_DOWN if self._cell.phase == "downloading" else SLOW
        shaped = where.ways(self._cell.phase)
        for way in shaped:
            self._stage.cords[way].shape = slow
        trigger = None
        while trigger is None:
            trigger = self._stage.spy.wait(self._watch, self._watch.looked, LOOK)
            if trigger is None and self._stage.get(f"/v1/runs/{self._run}").get("status") == "finished":
                assert self._another() <= MOST, f"no {self._cell.phase} in {MOST} rounds"

        def struck() -> None:
            for way in shaped:
                if self._stage.cords[way].shape is slow:
                    self._stage.cords[way].shape = FREE

        return strike(self._stage, self._cell.fault, self._cell.node, struck)

    def _launch(self) -> None:
        self._stage.downloads += self._cell.phase == "downloading"
        rate = LAUNCH + (APART * self._stage.downloads if self._cell.phase == "downloading" else 0)
        self._run = self._stage.launch(
            tasks.read(TASK),
            rounds=ROUNDS,
            plan={"epochs": EPOCHS, "learning_rate": rate},
            deadline_seconds=deadline(self._cell.fault),
            evaluate=False,
        )
        self._stage.spy.expect(self._run, 2 * MOST, HOMES)

    def _another(self) -> int:
        """Has one more round; gives how many that makes."""
        return int(self._stage.post(f"/v1/runs/{self._run}/rounds")["rounds"])

    # What has become of it.

    def judge(self, blow: Blow) -> Outcome:
        """Waits until all is over, has one more round with everybody, and looks at the record."""
        stage, patience = self._stage, 3 * deadline(self._cell.fault)
        stage.finished(self._run, patience)
        found = self._whole(patience)
        rounds = {one["number"]: one for one in stage.get(f"/v1/runs/{self._run}/rounds", limit=100)["items"]}
        members = {number: stage.everybody(self._run, number) for number in rounds}
        _check_rounds(rounds, members)
        self._check_receipts(members)
        self._check_models(found, rounds, members)
        return self._measured(blow, rounds)

    def _whole(self, patience: float) -> dict[str, Any]:
        """Has rounds until everybody is in one; gives the run."""
        stage = self._stage
        missing: set[str] = set()
        for _ in range(TRIES):
            stage.whole()
            last = self._another()
            found = stage.finished(self._run, patience)
            assert (found["outcome"], found["done"]) == ("completed", last), f"{found['outcome']}: {found['reason']}"
            missing = set(DEVICES) - set(_answered(stage.everybody(self._run, last)))
            if not missing:
                return found
        raise AssertionError(f"in {TRIES} rounds one after the other somebody was missing, in the last one {sorted(missing)}")

    def _check_receipts(self, members: dict[int, dict[str, dict[str, Any]]]) -> None:
        """Who was told ok is in the model, or the record says why not."""
        for seen in self._heard(lambda seen: isinstance(seen.body, Receipt) and seen.body.status == "ok"):
            entry = members[seen.round].get(seen.member)
            assert entry is not None, f"{seen.member} was told ok in round {seen.round}, and is not in the record"
            assert entry["fate"] == "answered" or entry["reason"], f"{seen.member} was told ok, and is in the record as {entry}"

    def _check_models(
        self, run: dict[str, Any], rounds: dict[int, dict[str, Any]], members: dict[int, dict[str, dict[str, Any]]]
    ) -> None:
        """Every model is the one that the recorded answers make, to the bit."""
        stage = self._stage
        stores = {name: stage.folder / name / "examples.db" for name in DEVICES}
        learnt = {number: _answered(members[number]) if one["model"] else [] for number, one in rounds.items()}
        plan = msgspec.convert(run["plan"], Plan)
        known = stage.known.setdefault(plan.learning_rate, {})
        folder = stage.folder / "trained"
        folder.mkdir(exist_ok=True)
        expected = retraining.models(folder, tasks.read(TASK), plan, learnt, stores, known)
        shas = {one["id"]: one["model_sha256"] for one in stage.get("/v1/models", run=self._run, limit=100)["items"]}
        for number, one in rounds.items():
            if one["model"]:
                assert shas[one["model"]] == expected[number], f"the model of round {number} is not what its answers make"

    # Figures.

    def _heard(self, when: Callable[[Seen], bool]) -> list[Seen]:
        return [seen for seen in self._stage.spy.seen if seen.run == self._run and when(seen)]

    def _back(self, blow: Blow) -> float:
        """Gives from when on what is heard is not from before the fault, which may still have been on its way."""
        who = {"gateway": GATEWAY, "device": DEVICE}.get(self._cell.node)
        if who is None or FAULTS[self._cell.fault].begin is not FAULTS["kill"].begin:
            return blow.ended + (LAST_WORDS if self._cell.fault == "half-open" else 0)
        births = (
            seen.at
            for seen in self._stage.spy.seen
            if seen.at > blow.ended and seen.member == who and isinstance(seen.body, Status) and seen.body.state == "up"
        )
        return next(births, blow.ended)

    def _measured(self, blow: Blow, rounds: dict[int, dict[str, Any]]) -> Outcome:
        begin, speaks = self._back(blow), _SPEAKS[self._cell.node]
        first = next(iter(self._heard(lambda seen: seen.at > begin and speaks(seen))), None)
        hit, closed = True, None
        if self._watch is not None:
            assert self._watch.trigger is not None
            for seen in self._stage.spy.seen[self._watch.looked :]:
                self._watch(seen)
                if seen.at < blow.begun:
                    hit = not self._watch.over
            over = rounds[self._watch.trigger.round]["closed_at"]
            closed = _seconds(over) - blow.ended_wall
        return Outcome(
            None if first is None else round(first.at - blow.ended, 2),
            None if closed is None or closed < 0 else round(closed, 2),
            hit,
            len(rounds),
        )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _answered(members: dict[str, dict[str, Any]]) -> list[str]:
    return sorted(name for name, one in members.items() if one["device"] and one["fate"] == "answered")


def _check_rounds(rounds: dict[int, dict[str, Any]], members: dict[int, dict[str, dict[str, Any]]]) -> None:
    for number, one in rounds.items():
        assert one["status"] == "closed", f"round {number} is {one['status']}"
        assert one["reason"], f"round {number} does not say why it is over"
        assert bool(one["model"]) == (one["outcome"] == "complete"), f"round {number}: {one}"
        for name, entry in members[number].items():
            known = entry["fate"] in ("answered", "refused", "rejected", "late", "silent")
            assert known, f"in round {number}, {name} is {entry['fate']}"


def _by(broker: str, member: str, down: bool) -> Callable[[Seen], bool]:
    return lambda seen: seen.broker == broker and member in ("", seen.member) and seen.down == down


_DEVICE, _UP = _by(GATEWAY, DEVICE, False), _by("cloud", GATEWAY, False)
_HOME, _CLOUD = _by(GATEWAY, "", True), _by("cloud", "", True)
_SPEAKS: dict[str, Callable[[Seen], bool]] = {
    "device": _DEVICE,
    "link-down": _DEVICE,
    "gateway": lambda seen: _UP(seen) or _HOME(seen),
    "link-up": _UP,
    "link-home": _HOME,
    "cloud": _CLOUD,
    "link-cloud": _CLOUD,
    "broker-cloud": lambda seen: seen.broker == "cloud",
    "broker-home": lambda seen: seen.broker == GATEWAY,
}
