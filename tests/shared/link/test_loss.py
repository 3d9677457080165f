"""What a line loses arrives later, and keeps what is behind it waiting."""

from random import Random

import pytest

from folkmoot.link.hub_packets import Shape, line
from folkmoot.link.loss import MOST, SEGMENT, Loss

ROUNDS = 20_000


@pytest.mark.parametrize(("share", "segments"), [(0.01, 1), (0.1, 1), (0.1, 20), (0.5, 3)])
def test_so_many_packets_wait_as_lose_a_segment(share: float, segments: int) -> None:
    loss = Loss(share, 30, Random(1))
    delays = [loss.delay(segments * SEGMENT) for _ in range(ROUNDS)]
    for times, delay in enumerate((0, 260, 260 + 520)):
        through = sum(one <= delay for one in delays) / ROUNDS
        assert through == pytest.approx((1 - share ** (times + 1)) ** segments, abs=0.015)
    assert {one for one in delays if one < MOST} <= {260 * (2**times - 1) for times in range(9)}


def test_a_line_that_loses_nothing_asks_no_chance() -> None:
    sound = line(Shape(5, up=10.0), 10.0, None)  # type: ignore[arg-type]
    assert sound.leaves(100, 1_000) == 200


def test_what_is_lost_does_not_hold_up_the_sender() -> None:
    lossy = line(Shape(5, up=10.0, loss=0.5), 10.0, Random(2))
    first, second = lossy.leaves(0, 1_000), lossy.leaves(0, 1_000)
    assert (first - 100) % 210 == (second - 200) % 210 == 0
