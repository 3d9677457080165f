"""That a verdict finds what leaks, and nothing else."""

from random import Random

import pytest

from tests.soak.gauges import Gauge
from tests.soak.verdict import Life, lives, slope

SECONDS = 1_200.0
EVERY = 5


def gauge(at: float, **fields: float) -> Gauge:
    """Gives a look at a process that holds what it always holds, but for `fields`."""
    held = {"resident": 50.0, "proportional": 30.0, "files": 10, "sockets": 4, "threads": 1, "folder": 5.0, **fields}
    return Gauge(at=at, **held)  # type: ignore[arg-type]


def complaints(looks: list[tuple[int, Gauge]], growth: float = 2.0, more: int = 0) -> list[str]:
    """Gives what the verdict says of a process."""
    found = lives("g1", looks, SECONDS)
    assert found
    return [complaint for life in found for complaint in life.complaints(growth, more)]


def test_a_process_that_has_its_size_is_sound_however_restless_it_is() -> None:
    rng = Random(0)
    assert complaints([(1, gauge(at, resident=50 + rng.uniform(-3, 3))) for at in range(0, int(SECONDS), EVERY)]) == []


def test_what_grows_while_it_warms_up_does_not_count() -> None:
    warm = [(1, gauge(at, resident=30 + min(at, 240) / 12, files=8 + (at > 100))) for at in range(0, int(SECONDS), EVERY)]
    assert complaints(warm) == []


def test_memory_that_grows_by_little_all_the_time_is_found_below_noise_and_bursts() -> None:
    rng = Random(0)
    looks = [
        (1, gauge(at, resident=50 + at * 0.004 + rng.uniform(-1, 1) + 40 * (rng.random() < 0.1)))
        for at in range(0, int(SECONDS), EVERY)
    ]
    (found,) = complaints(looks)
    assert found.startswith("g1 grows by 3.")


@pytest.mark.parametrize("field", ["files", "sockets", "threads"])
def test_one_that_is_left_open_every_five_minutes_is_found(field: str) -> None:
    (found,) = complaints([(1, gauge(at, **{field: 10 + at // 300})) for at in range(0, int(SECONDS), EVERY)])
    assert found == f"g1 has 13 {field}, and had 11"


def test_a_pool_that_opens_two_more_is_no_leak_where_that_is_said_and_a_leak_at_every_round_is() -> None:
    times = range(0, int(SECONDS), EVERY)
    assert complaints([(1, gauge(at, files=10 + 2 * (at > 500) + 2 * (at > 700))) for at in times], more=4) == []
    assert complaints([(1, gauge(at, files=10 + at // 60)) for at in times], more=4) == ["g1 has 27 files, and had 17"]


def test_one_that_is_open_for_a_moment_is_no_leak() -> None:
    assert complaints([(1, gauge(at, files=10 + (at % 50 == 0))) for at in range(0, int(SECONDS), EVERY)]) == []


def test_a_process_that_is_started_again_is_judged_in_the_life_that_is_long_enough() -> None:
    looks = [(1 if at < 400 else 2, gauge(at, resident=70.0 if at < 400 else 50.0)) for at in range(0, int(SECONDS), EVERY)]
    (life,) = lives("g2", looks, SECONDS)
    assert isinstance(life, Life)
    assert life.judged[0].at == 600
    assert life.slope == 0


def test_a_slope_is_that_of_the_line_through_most_points() -> None:
    assert slope([(0, 0), (1, 2), (2, 4), (3, 99), (4, 8), (5, 10)]) == 2
