"""A side that is run is bounded, watched, and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import runner
from benchmarks.runner import Failed, run
from tests.soak.gauges import strays

SIZE = 40 << 20  # bytes

# A child that leaves the session of its parent, and outlives it, as Ray's servers do.
ORPHAN = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print('{"pid": %d, "peak_mib": 1}' % child.pid)
"""


def test_the_last_line_of_json_is_what_counts() -> None:
    assert runner.last('hello\n{"a": 1}\n{"b": 2.5}\nbye\n') == {"b": 2.5}
    assert runner.last("hello\n") is None


def test_nothing_that_a_side_started_outlives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "uuid4", lambda: type("Mark", (), {"hex": "test-of-the-runner"}))
    ran = run([sys.executable, "-c", ORPHAN], 30)
    assert ran.figures["pid"] > 0
    assert strays(f"{runner.MARK}=test-of-the-runner") == []


def test_memory_is_that_of_all_processes_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, let, held = tmp_path / "gate", [], runner.held
    os.mkfifo(gate)

    def look(pid: int) -> int:
        """Lets the child go once its memory has been seen."""
        found = held(pid)
        if found > SIZE and not let:
            let.append(gate.write_text(""))
        return found

    monkeypatch.setattr(runner, "held", look)
    child = f"x = bytearray(b'x') * {SIZE}; open({str(gate)!r}).read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print('{{}}')"
    assert SIZE / runner.MIB < run([sys.executable, "-c", parent], 30).figures["peak_mib"] < 120


def test_a_side_that_fails_or_takes_too_long_says_why() -> None:
    with pytest.raises(Failed, match=r"^exit code 1: ValueError: no broker\Z"):
        run([sys.executable, "-c", "raise ValueError('no broker')"], 30)
    with pytest.raises(Failed, match="not over after 1 s"):
        run([sys.executable, "-c", "import time; time.sleep(600)"], 1)
    with pytest.raises(Failed, match="exit code 0"):
        run([sys.executable, "-c", "print('done')"], 30)


def test_no_peer_can_be_told_to_report_home_by_what_a_person_has_set() -> None:
    script = "import json, os; print(json.dumps({'on': int(os.environ['FLWR_TELEMETRY_ENABLED'])}))"
    assert run([sys.executable, "-c", script], 30, None).figures["on"] == 0


def test_a_mark_ends_only_what_has_it() -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        runner.end("nobody-has-this")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
