"""A model of 1 MB over a bad link, both ways: that it arrives, and what it costs in bytes."""

from pathlib import Path

import pytest

from tests.kit.carriage import BAD, PARAMETERS, SLOW, THRICE, Carried, carry
from tests.scenarios import oracle

pytestmark = pytest.mark.timeout(300)  # half a minute each, where nothing else wants the machine
MOST = 1.1  # times the model's bytes, everything that crossed the link in that direction counted


def arrived(carried: Carried) -> bool:
    """Whether the model is what it must be."""
    return carried.model == oracle.chain((("d",),), PARAMETERS)[0]


@pytest.mark.broker
@pytest.mark.parametrize("dialect", ["5", pytest.param("3.1.1", marks=pytest.mark.slow)])
async def test_a_link_that_resets_every_six_seconds_costs_a_tenth_at_most(tmp_path: Path, dialect: str) -> None:
    carried = await carry(tmp_path, dialect, BAD)
    assert arrived(carried)
    assert carried.connections >= 3
    assert max(carried.ratios) <= MOST, carried


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["5", "3.1.1"])
async def test_a_device_that_reboots_three_times_each_way_costs_a_tenth_at_most(tmp_path: Path, dialect: str) -> None:
    carried = await carry(tmp_path, dialect, SLOW, down=THRICE, up=THRICE)
    assert arrived(carried)
    assert carried.connections >= 7
    assert max(carried.ratios) <= MOST, carried


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.parametrize("dialect", ["5", "3.1.1"])
@pytest.mark.parametrize("part", THRICE)
async def test_resets_and_a_reboot_together_cost_a_tenth_at_most(tmp_path: Path, dialect: str, part: float) -> None:
    carried = await carry(tmp_path, dialect, BAD, down=[part], up=[part])
    assert arrived(carried)
    assert max(carried.ratios) <= MOST, carried


@pytest.mark.slow
@pytest.mark.broker
async def test_a_gateway_that_restarts_costs_a_tenth_at_most(tmp_path: Path) -> None:
    carried = await carry(tmp_path, "5", SLOW, above=THRICE)
    assert arrived(carried)
    assert max(carried.ratios) <= MOST, carried


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.parametrize("broker", ["amqtt", "defaults"])
async def test_another_broker_or_other_limits_cost_time_and_no_update(tmp_path: Path, broker: str) -> None:
    """amqtt forgets unacknowledged messages at a reconnect: what is lost is asked for again, some seconds later."""
    assert arrived(await carry(tmp_path, broker, BAD, down=THRICE, up=THRICE))
