import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from folkmoot_cli import tree
from folkmoot_cli.__main__ import app
from folkmoot_cli.tree import Later
from tests.kit.command import Command

PATHS = [path for path, _, _ in tree.commands()]
HEAVY = {"numpy", "fastapi", "sqlalchemy", "httpx", "sklearn", "tflite_runtime", "tensorflow", "paho", "amqtt"}


def later(path: str) -> Later:
    """Gives the command at a path, before anybody has used it."""
    found = typer.main.get_command(app)
    for name in path.split("."):
        assert isinstance(found, TyperGroup)
        found = found.commands[name]
    assert isinstance(found, Later)
    return found


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, as a console script runs ours."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("path", PATHS)
def test_every_command_says_how_it_is_used(folkmoot: Command, path: str) -> None:
    said = folkmoot(*path.split("."), "--help")
    assert said.code == 0
    assert f"Usage: folkmoot {path.replace('.', ' ')}" in said.out


@pytest.mark.parametrize("path", PATHS)
def test_what_is_listed_of_a_command_is_the_first_line_of_its_own_help(path: str) -> None:
    command = later(path)
    assert (command.load().help or "").partition("\n")[0] == command.short_help


@pytest.mark.parametrize("path", PATHS)
def test_every_option_of_a_command_is_explained(path: str) -> None:
    for parameter in later(path).load().params:
        assert getattr(parameter, "help", ""), f"folkmoot {path}: {parameter.name}"


def test_the_listing_has_what_there_is(folkmoot: Command) -> None:
    said = folkmoot("--help")
    assert said.code == 0
    for name in {path.partition(".")[0] for path in PATHS}:
        assert f" {name} " in said.out


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["device", "--help"], ["--version"]])
def test_nothing_heavy_is_loaded_to_be_told_what_there_is(arguments: list[str]) -> None:
    code = f"import sys; from folkmoot_cli.__main__ import run; run({arguments}); print(*sys.modules, file=sys.stderr)"
    loaded = {name.partition(".")[0] for name in python(code).stderr.split()}
    assert "folkmoot_cli" in loaded
    assert loaded & (HEAVY | {"folkmoot_cloud", "folkmoot_gateway", "folkmoot_device"}) == set()


def test_a_device_is_run_without_the_command_lines_memory_and_without_numpy(tmp_path: Path) -> None:
    # The agent refuses its settings before it does anything; a module that it had loaded would have been listed by then.
    (tmp_path / "device.toml").write_text("ide = 1\n")
    command = [sys.executable, "-X", "importtime", "-m", "folkmoot_cli", "device", "run", "--config", tmp_path / "device.toml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert done.returncode == 2
    assert "unknown key ide" in done.stderr
    assert loaded & {"numpy", "fastapi", "sqlalchemy", "httpx", "tflite_runtime", "sklearn"} == set()


@pytest.mark.parametrize(
    ("lacking", "command", "extra"),
    [
        ("httpx", ["run", "list"], "cli"),
        ("fastapi", ["cloud", "serve"], "cloud"),
        ("numpy", ["gateway", "run"], "gateway"),
        ("psutil", ["demo"], "demo"),
    ],
)
def test_a_verb_whose_extra_is_missing_says_which_one_to_install(lacking: str, command: list[str], extra: str) -> None:
    code = f"import sys; sys.modules[{lacking!r}] = None; from folkmoot_cli.__main__ import run; sys.exit(run({command}))"
    done = python(code)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"`folkmoot {' '.join(command)}` needs" in line
    assert f"pip install 'folkmoot[{extra}]'" in line


def test_another_distribution_adds_a_command(tmp_path: Path) -> None:
    (tmp_path / "village.py").write_text('def assemble(loudly: bool = False) -> int:\n    """Assemble."""\n    return 7\n')
    metadata = tmp_path / "village-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: village\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[folkmoot.commands]\nvillage.assemble = village:assemble\n")
    code = "import sys; from folkmoot_cli.__main__ import run; sys.exit(run(sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, "village", "assemble", "--loudly"], check=False, env=environment)
    assert done.returncode == 7


def test_a_shell_completes_verbs_and_options() -> None:
    words = {"run st": {"start", "stop"}, "run start --ta": {"--task"}, "dem": {"demo"}}
    for typed, wanted in words.items():
        environment = {
            "_FOLKMOOT_COMPLETE": "complete_bash",
            "COMP_WORDS": f"folkmoot {typed}",
            "COMP_CWORD": str(len(typed.split())),
        }
        code = "import sys; sys.argv[:] = ['folkmoot']; from folkmoot_cli.__main__ import main; main()"
        assert set(python(code, **environment).stdout.split()) == wanted, typed
