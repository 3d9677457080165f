"""`folkmoot task inspect` and `folkmoot task check`: what is in a bundle, and whether it trains here. They ask no cloud."""

from typing import Annotated, Any

import msgspec
import typer

from folkmoot import cuts
from folkmoot.errors import FolkmootError, UserFault
from folkmoot.serve import reference, trial
from folkmoot.wire import bundle, codec
from folkmoot.wire.bundle import Bundle, Manifest, Program
from folkmoot_cli import output
from folkmoot_cli.options import AsJson
from folkmoot_cli.source import Source, read

Steps = Annotated[int, typer.Option(min=1, max=reference.STEPS, help="How many of the recorded steps to take.")]


def inspect(source: Source, as_json: AsJson = False) -> None:
    """Show what is in a bundle, and what it takes on this machine.

    Example: folkmoot task inspect digits-mlp
    """
    content = read(source)
    opened, program = _opened(source, content)
    here: trial.Found | None = None
    try:
        here = trial.run(opened.program, opened.weights, 1)
    except UserFault as fault:
        output.note(f"{source}: {fault}")
    levels = {rate: bundle.program(encoded).manifest for rate, encoded in opened.levels.items()}
    if as_json:
        output.document(_document(content, opened, program.manifest, levels, here))
        return
    _tell(content, opened, program.manifest, here)
    _tensors(program.manifest)
    _signatures(program.manifest)
    if levels:
        _levels(opened, levels)


def check(source: Source, steps: Steps = 2) -> None:
    """Train the first steps of a bundle on this machine, and compare with what TensorFlow found.

    Example: folkmoot task check digits-mlp
    """
    opened, program = _opened(source, read(source))
    for manifest, found in _trials(opened, program, steps):
        name = f"{manifest.task} {manifest.version}" + (f" at rate {manifest.rate:g}" if manifest.rate < 1 else "")
        apart = reference.worst(found["losses"], manifest)
        if not apart <= reference.TOLERANCE:
            raise FolkmootError(f"{name} does not train here as where it was made: its losses differ by {apart:.1g}")
        print(f"{name}: {steps} steps on {found['runtime']} have the losses of TensorFlow, to {apart:.0e}")


def _opened(source: str, content: bytes) -> tuple[Bundle, Program]:
    try:
        return bundle.load(content)
    except FolkmootError as fault:
        raise UserFault(f"{source} is no bundle that can be used: {fault}") from None


def _trials(opened: Bundle, program: Program, steps: int) -> list[tuple[Manifest, trial.Found]]:
    """Tries the program and every narrower level with its part of the weights."""
    found = [(program.manifest, trial.run(opened.program, opened.weights, steps))]
    for encoded in opened.levels.values():
        manifest = bundle.program(encoded).manifest
        block = cuts.narrow(opened.weights, program.manifest.layout, manifest.layout, manifest.cuts)
        found.append((manifest, trial.run(encoded, block, steps)))
    return found


def _document(
    content: bytes, opened: Bundle, manifest: Manifest, levels: dict[str, Manifest], here: trial.Found | None
) -> dict[str, Any]:
    plain = msgspec.json.decode(msgspec.json.encode(manifest))
    plain["sha256"] = manifest.sha256.hex()
    return {
        "digest": codec.digest(content).hex(),
        "bytes": len(content),
        "parts": {name: {"bytes": len(part), "digest": codec.digest(part).hex()} for name, part in opened.parts().items()},
        "manifest": plain,
        "levels": {rate: {"parameters": level.parameters, "bytes": level.program_bytes} for rate, level in levels.items()},
        "here": here,
    }


def _tell(content: bytes, opened: Bundle, manifest: Manifest, here: trial.Found | None) -> None:
    plan, contract = manifest.plan, manifest.contract
    settings = "".join(f", {name} {value}" for name, value in sorted(manifest.optimizer.options.items()))
    parts = [f"{name} {output.size(len(part))}" for name, part in opened.parts().items()]
    y = f"one of {', '.join(contract.classes)}" if contract.classes else f"{contract.y_dtype}{list(contract.y_shape)}"
    output.facts(
        (
            ("task", f"{manifest.task} {manifest.version}"),
            ("title", manifest.title),
            ("digest", codec.digest(content).hex()),
            ("data", f"{contract.name}: {contract.x_dtype}{list(contract.x_shape)}, {y}"),
            ("parameters", f"{manifest.parameters:,}"),
            ("work", f"{manifest.flops:,} operations an example, forward"),
            ("plan", f"{plan.epochs} epochs at {plan.learning_rate:g}, batches of {manifest.batch}"),
            ("optimiser", manifest.optimizer.name + settings),
            ("metrics", ", ".join(manifest.metrics)),
            ("parts", ", ".join(parts)),
            ("operators", ", ".join(manifest.operators)),
            ("memory", f"{output.size(manifest.peak_bytes)} on top of a process with a runtime"),
            ("made with", manifest.made_with),
        )
    )
    if here is not None:
        most = f"{output.size(here['base_bytes'] + here['peak_bytes'])}, {output.size(here['peak_bytes'])} of it for training"
        output.facts((("here", f"{1e3 * here['step_seconds']:.3g} ms a step, {most}, on {here['runtime']}"),))


def _tensors(manifest: Manifest) -> None:
    rows = ((one.name, "x".join(map(str, one.shape)), one.dtype, one.role, one.group) for one in manifest.layout.tensors)
    output.table(("tensor", "shape", "dtype", "role", "group"), rows)


def _signatures(manifest: Manifest) -> None:
    def told(values: dict[str, bundle.Value]) -> str:
        # Those that take or give every tensor would repeat the table above.
        weights = [name for name in values if name.startswith("w") and name[1:].isdecimal()]
        named = [f"{name} {value.dtype}{list(value.shape)}" for name, value in values.items() if name not in weights]
        return ", ".join([*named, f"{len(weights)} tensors"] if weights else named)

    rows = ((name, told(one.inputs), told(one.outputs)) for name, one in manifest.signatures.items())
    output.table(("signature", "takes", "gives"), rows)


def _levels(opened: Bundle, levels: dict[str, Manifest]) -> None:
    rows = (
        (rate, f"{level.parameters:,}", output.size(len(opened.levels[rate])), output.size(level.peak_bytes))
        for rate, level in sorted(levels.items(), key=lambda pair: -pair[1].rate)
    )
    output.table(("rate", "parameters#", "program#", "memory#"), rows)
