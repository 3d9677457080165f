import subprocess
import sys
from pathlib import Path

import pytest

from folkmoot.author import command
from folkmoot.errors import UserFault


def test_the_command_imports_no_tensorflow() -> None:
    script = "import folkmoot.author.command, sys; print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_without_tensorflow_the_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserFault, match=r"pip install 'folkmoot\[author\]'"):
        command.author("folkmoot.author.models.digits:mlp", tmp_path / "bundle.fmb")
