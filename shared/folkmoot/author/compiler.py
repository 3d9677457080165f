"""From a draft to a bundle: traced, converted, and tried on the runtime that devices have.

Two conversions in one process may differ in their bytes (TensorFlow numbers what it makes), so `folkmoot author` starts a fresh
process for each bundle.
"""

import dataclasses
import math
from collections.abc import Callable

import keras
import msgspec
import numpy as np
import tensorflow as tf
from tensorflow.python.profiler import model_analyzer, option_builder

import folkmoot
from folkmoot.author import converter, flatbuffer, inference, losses, optimizers, signatures, step, tensors, widths
from folkmoot.author.draft import Draft
from folkmoot.author.signatures import Functions, Holder
from folkmoot.author.tensors import Variable
from folkmoot.errors import UserFault
from folkmoot.ids import check
from folkmoot.serve import reference, trial
from folkmoot.serve.trial import Found
from folkmoot.wire import bundle, codec
from folkmoot.wire.bundle import Bundle, Cut, Graft, Manifest, Program
from folkmoot.wire.messages import Plan

# Builds of digits-mlp measured 3.2 to 3.6 MB: a finer figure would give each of them a digest of its own.
GRAIN = 1 << 20  # bytes


Tell = Callable[[str], None]


def build(draft: Draft, tell: Tell = lambda doing: None) -> bytes:
    """Gives the bundle of a draft, with the weights that its model has now. `tell` hears what is being done.

    Raises UserFault: the draft does not fit its contract, an operator has no builtin, or the program does not train as
    TensorFlow does.
    """
    _check(draft)
    held = tensors.variables(draft.model, draft.local)
    weights = tensors.block(held)
    program = _program(draft, held, tell)
    levels = {}
    for rate in sorted(set(draft.widths) - {1.0}, reverse=True):
        model, cuts = widths.narrow(draft.model, rate)
        level, narrow = dataclasses.replace(draft, model=model), tensors.variables(model, draft.local)
        levels[f"{rate:g}"] = bundle.dump(_program(level, narrow, tell, rate, cuts))
    tell("making the models for inference")
    models, grafts = _inference(draft, held)
    return bundle.seal(Bundle(program=bundle.dump(program), weights=weights, levels=levels, inference=models, grafts=grafts))


def _check(draft: Draft) -> None:
    """Raises UserFault where the parts of a draft do not fit together."""
    check(draft.task, "a task's name")
    inputs = getattr(draft.model, "inputs", None) or []  # a subclassed model knows of none
    if len(inputs) > 1:
        raise UserFault(f"{draft.task}: the model must have one input; concatenate what it takes")
    expected = tuple(inputs[0].shape[1:]) if inputs else draft.contract.x_shape
    if expected != draft.contract.x_shape:
        raise UserFault(f"{draft.task}: the model takes {expected}, the contract has x_shape {draft.contract.x_shape}")
    given = keras.Input(draft.contract.x_shape, draft.batch, dtype=draft.contract.x_dtype)
    try:
        output = draft.model(given)
    except (TypeError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise UserFault(f"{draft.task}: the model does not take what its contract describes: {why}") from None
    if not isinstance(output, keras.KerasTensor):
        raise UserFault(f"{draft.task}: the model must have one output")


def _program(
    draft: Draft, held: tuple[Variable, ...], tell: Tell, rate: float = 1.0, cuts: dict[str, Cut] | None = None
) -> Program:
    """Gives a program that has been tried, with what was found in its manifest."""
    at = f" at rate {rate:g}" if rate < 1 else ""
    tell(f"tracing {draft.task}{at}")
    optimizer, pace = optimizers.described(draft.optimizer or keras.optimizers.SGD())
    plan = draft.plan or (Plan() if pace is None or draft.optimizer is None else Plan(learning_rate=pace))
    holder = Holder(held, optimizer)
    functions = signatures.trace(draft, holder)
    tell(f"converting {draft.task}{at}")
    tflite = converter.program(functions, holder, draft.model)
    tell(f"training {draft.task}{at} with TensorFlow, to compare")
    manifest = Manifest(
        task=draft.task,
        version=draft.version,
        title=draft.title,
        layout=tensors.layout(held),
        contract=draft.contract,
        batch=draft.batch,
        plan=plan,
        optimizer=optimizer,
        metrics=("loss", *losses.metrics(draft.metrics, draft.contract)),
        signatures=signatures.described(functions),
        trained=tuple(variable.tensor.name for variable in held if variable.trains),
        parameters=sum(variable.tensor.size for variable in held),
        program_bytes=len(tflite),
        sha256=codec.digest(tflite),
        operators=flatbuffer.operators(tflite),
        flops=_flops(functions) // draft.batch,
        made_with=f"folkmoot {folkmoot.__version__}, tensorflow {tf.__version__}, keras {keras.__version__}",
        reference={**step.reference_losses(draft, held, plan.learning_rate)},
        rate=rate,
        cuts=cuts or {},
    )
    program = Program(manifest=manifest, tflite=tflite)
    tell(f"training {draft.task}{at} on the TFLite runtime")
    peak = math.ceil(_try(program, tensors.block(held))["peak_bytes"] / GRAIN) * GRAIN
    return msgspec.structs.replace(program, manifest=msgspec.structs.replace(manifest, peak_bytes=peak))


def _flops(functions: Functions) -> int:
    """Gives the floating-point operations of one forward pass over a batch, as TensorFlow's profiler counts them."""
    options = option_builder.ProfileOptionBuilder(option_builder.ProfileOptionBuilder.float_operation())
    counted = model_analyzer.profile(functions["infer"].graph, options=options.with_empty_output().build())
    return int(counted.total_float_ops)


def _try(program: Program, weights: bytes) -> Found:
    """Gives what a trial on the runtime finds.

    Raises UserFault where the program cannot run here, or has other losses than TensorFlow.
    """
    task = program.manifest.task
    try:
        found = trial.run(bundle.dump(program), weights)
    except UserFault as fault:
        raise UserFault(f"{task}: {fault}") from None
    apart = reference.worst(found["losses"], program.manifest)
    if not apart <= reference.TOLERANCE:
        raise UserFault(f"{task} does not train as TensorFlow does: its losses differ by {apart:.1g}")
    return found


def _inference(draft: Draft, held: tuple[Variable, ...]) -> tuple[dict[str, bytes], dict[str, tuple[Graft, ...]]]:
    tflite, grafts = inference.in_float(draft, held)
    models = {"float": tflite}
    if draft.representative is not None:
        models["int8"] = inference.in_int8(draft, held, np.asarray(draft.representative, draft.contract.x_dtype))
    return models, {"float": grafts}
