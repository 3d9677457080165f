"""Compiles the models of benchmarks/drafts.py: `python -m benchmarks.bundles NAME`. Needs TensorFlow in .venv-author.

A simulated fleet reads its own from `.peers/tasks`, so that neither its start nor its memory has TensorFlow in it.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ".venv-author/bin/python"
FOLDER = ROOT / ".peers" / "tasks"


def place(name: str) -> Path:
    """Gives where a bundle is, or is to be."""
    return FOLDER / f"{name}.fmb"


def compile(name: str) -> Path:
    """Compiles a model anew; gives where its bundle is. Raises CalledProcessError, with what the compiler said."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [PYTHON, "-m", "folkmoot_cli", "author", f"benchmarks.drafts:{name}", "-o", str(place(name))]
    # Beside what it may have on its path already: a draft of this folder.
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    return place(name)


if __name__ == "__main__":
    print(compile(sys.argv[1]))
