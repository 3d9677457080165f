"""`folkmoot task inspect` and `folkmoot task check`, on the installed runtime."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from folkmoot import tasks
from folkmoot.serve import reference
from folkmoot.wire import bundle, codec
from folkmoot.wire.bundle import Bundle, Program
from tests.kit import lessons
from tests.kit.command import Command


def changed(folder: Path, *, weights: bytes | None = None, **manifest: Any) -> Path:
    """Puts down digits-mlp with another manifest or other weights; gives where."""
    found, program = lessons.packaged()
    other: Program = msgspec.structs.replace(program, manifest=msgspec.structs.replace(program.manifest, **manifest))
    made: Bundle = msgspec.structs.replace(found, program=bundle.dump(other), weights=weights or found.weights)
    path = folder / "changed.fmb"
    path.write_bytes(bundle.seal(made))
    return path


@pytest.mark.parametrize("task", tasks.names())
def test_every_task_that_comes_with_folkmoot_trains_here(folkmoot: Command, task: str) -> None:
    said = folkmoot("task", "check", task, "--steps", reference.STEPS)
    assert (said.code, said.err) == (0, "")
    manifest = lessons.packaged(task)[1].manifest
    assert said.out.startswith(f"{task} {manifest.version}: {reference.STEPS} steps on ")


def test_a_bundle_that_trains_otherwise_fails_the_check(folkmoot: Command, tmp_path: Path) -> None:
    recorded = lessons.packaged()[1].manifest.reference
    wrong = {**recorded, "losses": [2.0 * loss for loss in recorded["losses"]]}
    said = folkmoot("task", "check", changed(tmp_path, reference=wrong))
    assert said.code == 1
    assert "digits-mlp 1 does not train here as where it was made" in said.sentence


def test_everything_in_a_bundle_is_shown(folkmoot: Command) -> None:
    found, program = lessons.packaged()
    manifest = program.manifest
    said = folkmoot("task", "inspect", "digits-mlp")
    assert (said.code, said.err) == (0, "")
    told = [codec.digest(tasks.read("digits-mlp")).hex(), "4,810", "digits-8x8", manifest.made_with, "ms a step", "accuracy"]
    for text in told[:-1]:
        assert text in said.out
    for name in (*manifest.operators, *manifest.signatures, *(tensor.name for tensor in manifest.layout.tensors)):
        assert name in said.out
    assert found.digests


def test_the_same_for_machines(folkmoot: Command) -> None:
    found, program = lessons.packaged()
    said = folkmoot("task", "inspect", "digits-mlp", "--json").json
    assert said["digest"] == codec.digest(tasks.read("digits-mlp")).hex()
    assert said["parts"]["weights"] == {"bytes": len(found.weights), "digest": codec.digest(found.weights).hex()}
    assert said["manifest"]["sha256"] == codec.digest(program.tflite).hex()
    assert said["manifest"]["signatures"]["infer"]["inputs"]["x"] == [[8, 8, 8, 1], "float32"]
    here = said["here"]
    assert reference.worst(here["losses"], program.manifest) <= reference.TOLERANCE
    assert here["step_seconds"] > 0
    # What training adds is less than the interpreter itself.
    assert 0 < here["peak_bytes"] < here["base_bytes"]


@pytest.mark.parametrize("verb", ["inspect", "check"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        (b"", "is no bundle that can be used"),
        (b"\xa0", "is no bundle that can be used"),
        (tasks.read("digits-mlp")[:-1], "is no bundle that can be used"),
    ],
)
def test_what_is_no_bundle_is_refused_in_one_sentence(
    folkmoot: Command, tmp_path: Path, verb: str, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "some.fmb"
    if content is not None:
        path.write_bytes(content)
    said = folkmoot("task", verb, path)
    assert said.code == 2
    assert sentence in said.sentence


def test_a_part_that_is_not_what_its_digest_says_is_refused(folkmoot: Command, tmp_path: Path) -> None:
    found, _ = lessons.packaged()
    path = tmp_path / "damaged.fmb"
    path.write_bytes(bundle.dump(msgspec.structs.replace(found, weights=bytes(len(found.weights)))))
    said = folkmoot("task", "check", path)
    assert said.code == 2
    assert "the bundle's part weights is not what its digest says" in said.sentence


def test_a_program_that_does_not_run_is_told_in_one_sentence(folkmoot: Command, tmp_path: Path) -> None:
    found, program = lessons.packaged()
    broken = bundle.dump(msgspec.structs.replace(program, tflite=b"\x1c\0\0\0TFL3" + bytes(64)))
    path = tmp_path / "broken.fmb"
    path.write_bytes(bundle.seal(msgspec.structs.replace(found, program=broken)))
    assert "does not run on the TFLite runtime" in folkmoot("task", "check", path).sentence
    said = folkmoot("task", "inspect", path)  # can be looked at all the same
    assert said.code == 0
    assert "does not run on the TFLite runtime" in said.err
