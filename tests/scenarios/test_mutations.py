"""The laws of simulated faults see what they are to see: a bug that is put into the protocol is found by some seed."""

import logging
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from folkmoot.simulate.faults import trial
from tests.scenarios import mutations

SEEDS = 600  # within which each of them must be found
# Those whose seeds take longest are hunted with the slow tests alone.
LONG = ("never_ask_again", "need_no_minimum", "believe_what_is_damaged")
NAMES = [
    pytest.param(mutation.__name__, marks=pytest.mark.slow) if mutation.__name__ in LONG else mutation.__name__
    for mutation in mutations.ALL
]


def hunt(name: str) -> str:
    """Puts a bug into the programs of this process; gives what the first seed that finds it says, or ""."""
    logging.disable(logging.CRITICAL)
    next(mutation for mutation in mutations.ALL if mutation.__name__ == name)()
    verdicts = (trial.run(seed) for seed in range(SEEDS))
    return next((f"seed {one.plan.seed}: {one.broken}" for one in verdicts if one.broken), "")


@pytest.mark.parametrize("name", NAMES)
def test_a_bug_in_the_protocol_is_found(name: str) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        found = alone.submit(hunt, name).result()
    assert found, f"{name}: {SEEDS} seeds, and every law holds"
    assert "a program fails" not in found  # it is to do the wrong thing, not to fall over
