"""The same laws under inputs that coverage guides, a minute for each target; `make fuzz` takes five."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import session
from tests.fuzz.table import TARGETS

SECONDS = 60

pytestmark = pytest.mark.skipif(not session.HERE, reason=session.WHY_NOT)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_coverage_leads_to_breaks_a_law(name: str, tmp_path: Path) -> None:
    came = session.guide(TARGETS[name], SECONDS, tmp_path)
    assert not came.found, came.said[-4000:]
    assert came.inputs > 100
    assert came.edges > 5


def test_the_memory_of_who_starts_a_session_is_not_counted_as_its_own(tmp_path: Path) -> None:
    held = bytes(session.RESIDENT << 20).replace(b"\0", b"\1")  # written to, hence resident
    came = session.guide(TARGETS["topics"], 1, tmp_path)
    assert held
    assert not came.found, came.said[-4000:]
    assert came.peak < session.RESIDENT


# The session's own seed is given: what it comes across by itself within a minute is a matter of luck.
BROKEN = """
import sys
from tests.fuzz import guided
from folkmoot.wire import codec
codec.whole = lambda rows, kind: None
sys.argv.append("-seed={seed}")
guided.main()
"""
SEED = 2


def test_a_broken_law_is_found_and_kept(tmp_path: Path) -> None:
    came = session.guide(TARGETS["partials"], 60, tmp_path, ("-c", BROKEN.format(seed=SEED)))
    assert "AssertionError" in came.said
    (file,) = came.found
    again = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "partials", "--replay", str(file)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr  # by the codec as it is
    assert "no law of partials is broken" in again.stdout
