"""Data sets of others, which are not ours to give away: a test that wants one is skipped where it is not on this machine."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("FOLKMOOT_TEST_DATA") or ROOT.parent / "shared" / "data")


def find(*names: str) -> Path:
    """Gives the first of some files or folders that there is; skips the test where there is none.

    They are looked for in the folder that FOLKMOOT_TEST_DATA names, or else in ../shared/data, beside the checkout.
    """
    for name in names:
        if (place := FOLDER / name).exists():
            return place
    pytest.skip(f"{' or '.join(names)} is not in {FOLDER}: set FOLKMOOT_TEST_DATA to the folder that has it")
