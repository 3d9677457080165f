"""An environment that is made for one role holds nothing of the others: real installations, into folders of their own."""

import json
import subprocess
import venv
from pathlib import Path

import pytest

from tests.architecture.conftest import ROOT, pip

# pydantic is not among them: Typer, the command line's library, brings it. No agent at rest imports either.
SERVER = {"fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "asyncpg", "aiosqlite"}
TRAINING = {"tflite-runtime", "ai-edge-litert"}
AUTHORING = {"tensorflow", "tensorflow-cpu", "keras", "scikit-learn", "scipy"}
PLOTTING = {"matplotlib", "pyarrow"}
SPREADING = {"ray"}
CHECKING = {"pytest", "mypy", "ruff", "hypothesis"}

FOREIGN = {
    "device": SERVER | AUTHORING | PLOTTING | CHECKING | SPREADING | {"cryptography"},
    "gateway": SERVER | TRAINING | AUTHORING | PLOTTING | CHECKING | SPREADING,
    "cloud": TRAINING | AUTHORING | PLOTTING | CHECKING | SPREADING,
    "demo": {"tensorflow", "tensorflow-cpu", "keras"} | PLOTTING | CHECKING | SPREADING,
}
NEEDED = {
    "device": {"paho-mqtt", "numpy"},
    "gateway": {"paho-mqtt", "numpy"},
    "cloud": {"fastapi", "sqlalchemy"},
    "demo": {"scikit-learn"},
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "role",
    ["device", *(pytest.param(role, marks=pytest.mark.slow) for role in ("gateway", "cloud", "demo"))],
)
def test_an_environment_for_one_role_holds_nothing_of_the_others(role: str, wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip("--python", python, "install", "--quiet", "--constraint", ROOT / "constraints.txt", f"{wheel}[{role}]")

    listed = json.loads(pip("--python", python, "list", "--format", "json").stdout)
    names = {entry["name"].lower().replace("_", "-").replace(".", "-") for entry in listed}
    assert names & FOREIGN[role] == set()
    assert names >= NEEDED[role] | {"folkmoot"}

    # What it holds fits together, and the role's own package can be imported from it.
    pip("--python", python, "check")
    package = "folkmoot_cli" if role == "demo" else f"folkmoot_{role}"
    subprocess.run([python, "-I", "-c", f"import {package}, folkmoot"], check=True, cwd=tmp_path)
