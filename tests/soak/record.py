"""What a run's record must say after a soak: every round over, nobody in it twice, nobody forgotten, and the right models."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from folkmoot import arrays, tasks
from folkmoot.serve.conversation import Job
from folkmoot.serve.lesson import Classroom
from folkmoot.wire import bundle, codec, partial
from folkmoot.wire.messages import Plan, Receipt
from tests.kit.spy import Seen
from tests.scenarios.oracle import SCALE, lift
from tests.soak.town import CrowdedTown

TASK = "digits-mlp"
FATES = ("answered", "refused", "rejected", "late", "silent")


@dataclass
class Round:
    """One round, as the API tells of it."""

    run: str
    number: int
    view: dict[str, Any]
    devices: dict[str, dict[str, Any]]

    @property
    def answered(self) -> list[str]:
        """Who is in the model."""
        return sorted(name for name, one in self.devices.items() if one["fate"] == "answered")


@dataclass
class Record:
    """All rounds of all runs."""

    rounds: list[Round] = field(default_factory=list)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id
    plans: dict[str, Plan] = field(default_factory=dict)  # by run
    bases: dict[str, str] = field(default_factory=dict)  # run to the model that it started from

    @property
    def fates(self) -> Counter[str]:
        """How often each fate was met."""
        return Counter(one["fate"] for each in self.rounds for one in each.devices.values())


def read(town: CrowdedTown, runs: Iterable[str]) -> Record:
    """Gives the record of runs. Raises AssertionError where it contradicts itself."""
    record = Record()
    for run in runs:
        found = town.get(f"/v1/runs/{run}")
        assert (found["status"], found["outcome"]) == ("finished", "completed"), found
        record.plans[run] = msgspec.convert(found["plan"], Plan)
        record.bases[run] = found["base_model"]
        record.models |= {one["id"]: one for one in town.pages("/v1/models", run=run)}
        for view in town.pages(f"/v1/runs/{run}/rounds"):
            members = [one for one in town.pages(f"/v1/runs/{run}/rounds/{view['number']}/members") if one["device"]]
            devices = {one["device"]: one for one in members}
            assert len(devices) == len(members), f"somebody is in round {view['number']} of {run} twice"
            record.rounds.append(Round(run, view["number"], view, devices))
    return record


def check_rounds(record: Record, home: Mapping[str, str]) -> None:
    """Every round is over and says why; its members are devices that there are, in their homes, with a fate each."""
    for one in record.rounds:
        what = f"round {one.number} of {one.run}"
        assert one.view["status"] == "closed", f"{what} is {one.view['status']}"
        assert one.view["reason"], f"{what} does not say why it is over"
        assert bool(one.view["model"]) == (one.view["outcome"] == "complete"), f"{what}: {one.view}"
        assert one.view["devices"]["answered"] == len(one.answered), f"{what}: {one.view['devices']}, {len(one.answered)}"
        for name, entry in one.devices.items():
            assert entry["fate"] in FATES, f"in {what}, {name} is {entry['fate']}"
            assert entry["gateway"] == home[name], f"in {what}, {name} is in the home {entry['gateway']}"


def check_receipts(record: Record, seen: Sequence[Seen]) -> Counter[str]:
    """Who was told ok is in the model, or the record says why not; and for one answer alone. Gives the receipts by status."""
    rounds = {(one.run, one.number): one for one in record.rounds}
    told: dict[tuple[str, bytes], bytes] = {}
    counts: Counter[str] = Counter()
    for one in seen:
        receipt = one.body
        assert isinstance(receipt, Receipt)
        counts[receipt.status] += 1
        if receipt.status != "ok" or not one.run:
            continue
        before = told.setdefault((one.member, one.ask), receipt.payload)
        assert before == receipt.payload, f"{one.member} was told ok for two answers in round {one.round} of {one.run}"
        if one.broker == "cloud":
            continue
        entry = rounds[one.run, one.round].devices.get(one.member)
        assert entry is not None, f"{one.member} was told ok in round {one.round} of {one.run}, and is not in the record"
        assert entry["fate"] == "answered" or entry["reason"], f"{one.member} was told ok, and is in the record as {entry}"
    return counts


class Retrained:
    """Models, made again from the record: whoever is in one trains again, from the model before."""

    def __init__(self, town: CrowdedTown, record: Record, folder: Path) -> None:
        self._town = town
        self._record = record
        self._folder = folder
        folder.mkdir()
        found, program = bundle.load(tasks.read(TASK))
        self._layout = program.manifest.layout
        self._program = folder / "program"
        self._program.write_bytes(found.program)
        self._room = Classroom()

    def check(self, one: Round) -> None:
        """Raises AssertionError where a round's model is not what its answers make."""
        model = self._record.models[one.view["model"]]
        before = [
            each for each in self._record.rounds if each.run == one.run and each.number < one.number and each.view["model"]
        ]
        parent = max(before, key=lambda each: each.number).view["model"] if before else self._record.bases[one.run]
        answer = self._town.api.get(f"/v1/models/{parent}/weights")
        assert answer.status_code == 200, answer.text
        block = answer.content
        sums, total = np.zeros(len(block) // 4, np.int64), 0
        for device in one.answered:
            group = self._learn(device, one, block)
            sums += lift(np.frombuffer(group.data, "<f4"), group.weight)
            total += group.weight
        assert np.abs(sums).max() < 1 << 53
        block = self._add(block, sums / float(total << SCALE))
        expected = hashlib.sha256(block).hexdigest()
        assert model["model_sha256"] == expected, f"the model of round {one.number} of {one.run} is not what its answers make"

    def _learn(self, device: str, one: Round, block: bytes) -> Any:
        order = codec.digest(f"{device}/{one.number}".encode())
        job = Job(
            device=device,
            program=str(self._program),
            examples=str(self._town.folder / "fleet" / device / "examples.db"),
            out=str(self._folder),
            block=block,
            plan=self._record.plans[one.run],
            evaluate=False,
            seed=int.from_bytes(order[:6], "big"),
        )
        done = self._room.teach(job, lambda: None)
        file = Path(done.path)
        payload = file.read_bytes()
        file.unlink()
        return partial.load(payload, limit=1 << 24).groups["main"]

    def _add(self, block: bytes, mean: Any) -> bytes:
        weights, at = {}, 0
        old = arrays.unpack(self._layout, block)
        for tensor in self._layout.tensors:
            change = mean[at : at + tensor.size].reshape(tensor.shape)
            weights[tensor.name] = (np.asarray(old[tensor.name], np.float64) + change).astype(np.float32)
            at += tensor.size
        return arrays.pack(self._layout, weights)
