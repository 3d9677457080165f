"""What a run of real training must have ended with: every recorded contribution is trained again, and summed by other means."""

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from folkmoot import arrays
from folkmoot.serve.conversation import Job
from folkmoot.serve.lesson import Classroom
from folkmoot.wire import bundle, codec, partial
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Plan
from folkmoot.wire.partial import Group

SCALE = 22


Known = dict[tuple[bytes, str, int], Any]
"""What devices have learnt from a base, by its sha256, device and round."""


def models(
    folder: Path,
    task: bytes,
    plan: Plan,
    rounds: Mapping[int, Sequence[str]],
    stores: Mapping[str, Path],
    known: Known | None = None,
    transform: str | None = None,
) -> dict[int, str]:
    """Gives the sha256 of the model after each round; `rounds`: whose answers are in it, `stores`: where their examples are.

    `known`: what need not be learnt again where task, plan and examples are the same; it is added to. `transform`: how updates
    travelled.
    """
    known = {} if known is None else known
    found, program = bundle.load(task)
    file = folder / "program"
    file.write_bytes(found.program)
    room, layout, block = Classroom(), program.manifest.layout, found.weights
    ends: dict[int, str] = {}
    for number, devices in sorted(rounds.items()):
        base = hashlib.sha256(block).digest()
        for device in devices:
            if (base, device, number) not in known:
                learnt = _answer(room, folder, file, block, number, plan, device, stores[device], transform)
                known[base, device, number] = learnt if transform is None else _decoded(learnt, layout)
        answers = [known[base, device, number] for device in devices]
        if answers:
            block = _step(block, layout, answers)
        ends[number] = hashlib.sha256(block).hexdigest()
    return ends


def _answer(
    room: Classroom,
    folder: Path,
    program: Path,
    block: bytes,
    number: int,
    plan: Plan,
    device: str,
    store: Path,
    transform: str | None,
) -> Any:
    order = codec.digest(f"{device}/{number}".encode())
    job = Job(
        device=device,
        program=str(program),
        examples=str(store),
        out=str(folder),
        block=block,
        plan=plan,
        evaluate=False,
        seed=int.from_bytes(order[:6], "big"),
        transform=transform,
    )
    done = room.teach(job, lambda: None)
    return partial.load(Path(done.path).read_bytes(), limit=1 << 24).groups["main"]


def _decoded(group: Group, layout: Layout) -> Group:
    """Gives a group that has travelled as int8 in float32."""
    sizes = [tensor.size for tensor in layout.tensors]
    steps, elements = np.frombuffer(group.data, "<f4", len(sizes)), np.frombuffer(group.data, np.int8, offset=4 * len(sizes))
    deltas = (elements * np.repeat(steps, sizes).astype(np.float64)).astype("<f4")
    return Group(group.weight, codec.FLOAT32, deltas.tobytes())


def _step(block: bytes, layout: Any, answers: Sequence[Any]) -> bytes:
    total = sum(group.weight for group in answers)
    sums = np.zeros(answers[0].size, object)
    for group in answers:
        deltas = np.frombuffer(group.data, "<f4")
        sums += np.array([round(Fraction(float(delta)) * (group.weight << SCALE)) for delta in deltas], object)
    mean = np.array([int(value) / (total << SCALE) for value in sums])
    weights, at = {}, 0
    for tensor in layout.tensors:
        old = arrays.unpack(layout, block)[tensor.name]
        change = mean[at : at + tensor.size].reshape(tensor.shape)
        weights[tensor.name] = (np.asarray(old, np.float64) + change).astype(np.float32)
        at += tensor.size
    return arrays.pack(layout, weights)
