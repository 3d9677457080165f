"""Crowds of devices that come and go for minutes: `make soak` is the long form, whose figures are in docs/measurements.md."""

from pathlib import Path

import pytest

from tests.soak import scale
from tests.soak.soak import soak


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.timeout(600)
def test_nothing_leaks_and_nothing_is_lost_while_devices_come_and_go(tmp_path: Path) -> None:
    report = soak(tmp_path, scale.short(), print, models=5)
    print(*report.lines(), sep="\n")
    assert report.complaints() == []
    assert min(report.left.values()) >= 3, "hardly anybody has come and gone"
    assert report.answered > 0.5, "most devices were in hardly any model"
    assert len(report.record.rounds) >= 10
    assert report.checked >= 5
