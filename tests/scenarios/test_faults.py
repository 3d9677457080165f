"""Whole federations whose networks, disks, brokers and machines fail as seeds have it: every law holds of each of them.

The first range is run over and over with every change, the second one with the slow tests; all that were ever run stand in
seeds.jsonl, which
`folkmoot simulate --faults FIRST-LAST --record tests/scenarios/seeds.jsonl` goes on with.
"""

import logging
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from folkmoot.simulate.faults import trial
from folkmoot.simulate.faults.record import Record, blocks
from folkmoot.simulate.faults.trial import Verdict

ALWAYS, SLOWLY = range(400), range(400, 3_000)
RECORD = Path(__file__).parent / "seeds.jsonl"


def sweep(first: int, last: int) -> list[Verdict]:
    """Gives the seeds of a range that break a law."""
    logging.disable(logging.CRITICAL)
    return trial.sweep(first, last)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", [ALWAYS, pytest.param(SLOWLY, marks=pytest.mark.slow)])
def test_every_law_holds_whatever_goes_wrong(seeds: range) -> None:
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        spans = zip(*blocks(seeds.start, seeds.stop - 1), strict=True)
        broken = [verdict for found in pool.map(sweep, *spans) for verdict in found]
    assert not broken, "\n".join(map(str, broken))


def test_a_seed_is_the_same_run_every_time() -> None:
    first, second = (trial.run(11, tell=True) for _ in range(2))
    assert first.lines == second.lines
    assert first.lines


def test_a_hundred_thousand_seeds_are_on_record_and_none_of_them_breaks_a_law() -> None:
    record = Record(RECORD)
    newest = record.blocks[-1].source  # an earlier one may have had a bug that a seed has found
    assert not [block for block in record.blocks if block.source == newest and block.broken]
    sound = {seed for block in record.blocks for seed in range(block.first, block.last + 1) if seed not in block.broken}
    assert len(sound) >= 100_000
