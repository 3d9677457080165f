"""From a draft to a bundle: traced, converted, and tried on the runtime that devices have.

Two conversions in one process may differ in their bytes (TensorFlow numbers what it makes), so `folkmoot author` starts a fresh
process for each bundle.
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf
from tensorflow.python.profiler import model_analyzer, option_builder

import folkmoot
from folkmoot.author import converter, inference, signatures, step, tensors
from folkmoot.author.draft import Draft
from folkmoot.author.signatures import Functions, Holder
from folkmoot.author.tensors import Variable
from folkmoot.errors import UserFault
from folkmoot.ids import check
from folkmoot.serve import reference
from folkmoot.wire import bundle
from folkmoot.wire.bundle import Bundle, Graft, Manifest, Program

# Builds of digits-mlp measured 3.2 to 3.6 MB: a finer figure would give each of them a digest of its own.
GRAIN = 1 << 20  # bytes


def build(draft: Draft) -> bytes:
    """Gives the bundle of a draft, with the weights that its model has now.

    Raises UserFault: the draft does not fit its contract, an operator has no builtin, or the program does not train as
    TensorFlow does.
    """
    _check(draft)
    held = tensors.variables(draft.model)
    holder = Holder(held)
    functions = signatures.trace(draft, holder)
    tflite = converter.program(functions, holder)
    weights = tensors.block(held)
    program = Program(manifest=_manifest(draft, held, functions), tflite=tflite)
    tried = _try(program, weights)
    peak = math.ceil(tried["peak_bytes"] / GRAIN) * GRAIN
    program = msgspec.structs.replace(program, manifest=msgspec.structs.replace(program.manifest, peak_bytes=peak))
    models, grafts = _inference(draft, held)
    return bundle.dump(Bundle(program=bundle.dump(program), weights=weights, inference=models, grafts=grafts))


def _check(draft: Draft) -> None:
    """Raises UserFault where the parts of a draft do not fit together."""
    check(draft.task, "a task's name")
    if len(draft.model.inputs) != 1 or len(draft.model.outputs) != 1:
        raise UserFault(f"{draft.task}: the model must have one input and one output")
    expected = tuple(draft.model.inputs[0].shape[1:])
    if expected != draft.contract.x_shape:
        raise UserFault(f"{draft.task}: the model takes {expected}, the contract has x_shape {draft.contract.x_shape}")


def _manifest(draft: Draft, held: tuple[Variable, ...], functions: Functions) -> Manifest:
    losses = step.losses(draft, held)
    return Manifest(
        task=draft.task,
        version=draft.version,
        title=draft.title,
        layout=tensors.layout(held),
        contract=draft.contract,
        batch=draft.batch,
        plan=draft.plan,
        metrics=("loss", "correct") if draft.correct else ("loss",),
        parameters=sum(variable.tensor.size for variable in held),
        flops=_flops(functions) // draft.batch,
        made_with=f"folkmoot {folkmoot.__version__}, tensorflow {tf.__version__}, keras {keras.__version__}",
        reference={"formula": reference.FORMULA, "learning_rate": draft.plan.learning_rate, "losses": losses},
    )


def _flops(functions: Functions) -> int:
    """Gives the floating-point operations of one forward pass over a batch, as TensorFlow's profiler counts them."""
    options = option_builder.ProfileOptionBuilder(option_builder.ProfileOptionBuilder.float_operation())
    counted = model_analyzer.profile(functions["infer"].graph, options=options.with_empty_output().build())
    return int(counted.total_float_ops)


def _try(program: Program, weights: bytes) -> dict[str, Any]:
    """Gives what folkmoot.serve.trial finds.

    Raises UserFault where the program cannot run here, or has other losses than TensorFlow.
    """
    with tempfile.TemporaryDirectory(prefix="folkmoot-") as folder:
        paths = [Path(folder) / "program", Path(folder) / "weights"]
        for path, data in zip(paths, (bundle.dump(program), weights), strict=True):
            path.write_bytes(data)
        command = [sys.executable, "-m", "folkmoot.serve.trial", *map(str, paths)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if ran.returncode:
        raise UserFault(f"{program.manifest.task} does not run on the TFLite runtime: {ran.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(ran.stdout)
    apart = reference.worst(found["losses"], program.manifest)
    if not apart <= reference.TOLERANCE:
        raise UserFault(f"{program.manifest.task} does not train as TensorFlow does: its losses differ by {apart:.1g}")
    return found


def _inference(draft: Draft, held: tuple[Variable, ...]) -> tuple[dict[str, bytes], dict[str, tuple[Graft, ...]]]:
    tflite, grafts = inference.in_float(draft, held)
    models = {"float": tflite}
    if draft.representative is not None:
        models["int8"] = inference.in_int8(draft, held, np.asarray(draft.representative, np.float32))
    return models, {"float": grafts}
