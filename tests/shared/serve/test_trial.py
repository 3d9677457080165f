import json
import subprocess
import sys
from pathlib import Path

import pytest

from folkmoot import tasks
from folkmoot.serve import reference
from tests.kit import lessons


@pytest.mark.parametrize("task", tasks.names())
def test_a_trial_says_what_a_program_does_and_takes_here(tmp_path: Path, task: str) -> None:
    found, program = lessons.packaged(task)
    (tmp_path / "program").write_bytes(found.program)
    (tmp_path / "weights").write_bytes(found.weights)
    command = [sys.executable, "-m", "folkmoot.serve.trial", str(tmp_path / "program"), str(tmp_path / "weights")]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert reference.worst(said["losses"], program.manifest) <= reference.TOLERANCE
    # Another runtime or libc takes more or less, but not another order of it.
    assert program.manifest.peak_bytes / 4 < said["peak_bytes"] < program.manifest.peak_bytes * 4
    assert 0 < said["step_seconds"] < 1
