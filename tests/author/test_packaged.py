"""The packaged bundles are what the compiler makes of their sources."""

from pathlib import Path

import msgspec
import pytest
import tensorflow as tf

from folkmoot import tasks
from folkmoot.author import command, flatbuffer
from folkmoot.author.__main__ import main
from folkmoot.serve import reference
from folkmoot.serve.program import Learner, runtime
from folkmoot.wire import bundle
from folkmoot.wire.bundle import Bundle, Program

SOURCES = {
    "digits-mlp": "folkmoot.author.models.digits:mlp",
    "digits-cnn": "folkmoot.author.models.digits:cnn",
    "har": "folkmoot.author.models.har:har",
}

Bundles = dict[str, tuple[Bundle, Program]]


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Gives every packaged task, compiled anew in a fresh process."""
    folder, found = tmp_path_factory.mktemp("bundles"), {}
    for task, source in SOURCES.items():
        path = folder / f"{task}.fmb"
        assert command.author(source, path) == 0
        found[task] = bundle.load(path.read_bytes())
    return found


def signatures(tflite: bytes) -> object:
    """Gives the signatures of a program with the shapes and dtypes of what they take and give."""
    loaded = runtime().Interpreter(model_content=tflite)
    found = {}
    for name in loaded.get_signature_list():
        runner = loaded.get_signature_runner(name)
        sides = (runner.get_input_details(), runner.get_output_details())
        found[name] = [{key: (tuple(one["shape"]), one["dtype"]) for key, one in side.items()} for side in sides]
    return found


def test_every_packaged_task_has_a_source() -> None:
    assert set(tasks.names()) == SOURCES.keys()


@pytest.mark.parametrize("task", SOURCES)
def test_a_packaged_task_is_what_its_source_compiles_to(again: Bundles, task: str) -> None:
    (kept, program), (fresh, anew) = bundle.load(tasks.read(task)), again[task]
    assert signatures(anew.tflite) == signatures(program.tflite)
    assert flatbuffer.operators(anew.tflite) == flatbuffer.operators(program.tflite)
    assert fresh.weights == kept.weights
    same = {"peak_bytes": 0, "made_with": "", "reference": {}}
    assert msgspec.structs.replace(anew.manifest, **same) == msgspec.structs.replace(program.manifest, **same)
    losses = reference.losses(Learner(anew), fresh.weights, anew.manifest.reference["learning_rate"])
    assert reference.worst(losses, program.manifest) <= reference.TOLERANCE


@pytest.mark.parametrize("task", SOURCES)
def test_the_bytes_are_the_same_under_the_same_tensorflow(again: Bundles, task: str) -> None:
    (kept, program), (fresh, anew) = bundle.load(tasks.read(task)), again[task]
    if f"tensorflow {tf.__version__}," not in program.manifest.made_with:
        pytest.skip(f"the packaged bundle was {program.manifest.made_with}")
    assert anew.tflite == program.tflite
    assert (fresh.inference, fresh.grafts) == (kept.inference, kept.grafts)


def test_a_program_does_not_depend_on_its_weights(again: Bundles, tmp_path: Path) -> None:
    assert command.author(SOURCES["digits-mlp"], tmp_path / "other.fmb", seed=1) == 0
    found, program = bundle.load((tmp_path / "other.fmb").read_bytes())
    assert program.tflite == again["digits-mlp"][1].tflite
    assert found.weights != again["digits-mlp"][0].weights


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("folkmoot.author.models.digits:nothing", "there is no folkmoot.author.models.digits:nothing"),
        ("nowhere:mlp", "there is no nowhere:mlp"),
        ("folkmoot.author.models.digits", "say MODULE:FUNCTION"),
        ("tests.author.drafts:nothing", "gave a str; it must return a folkmoot.author.draft.Draft"),
        ("tests.author.drafts:inverting", "MatrixInverse"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, sentence: str
) -> None:
    assert main(source, str(tmp_path / "bundle.fmb"), "0") == 2
    said = capsys.readouterr().err
    assert said.startswith("folkmoot: ")
    assert sentence in said
    assert said.count("\n") == 1
    assert not (tmp_path / "bundle.fmb").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "nowhere" / "bundle.fmb"
    assert main("tests.author.drafts:quantised", str(output), "0") == 2
    said = capsys.readouterr().err
    assert said == f"folkmoot: {output} cannot be written (No such file or directory): give another --output\n"


def test_the_command_ends_as_its_compilation_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert command.author("nowhere:mlp", tmp_path / "bundle.fmb") == 2
    assert "folkmoot: there is no nowhere:mlp" in capfd.readouterr().err
