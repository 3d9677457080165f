"""A Random that is made late: it says what one says that was there all the time."""

import pickle
from random import Random

import pytest

from folkmoot.simulate.scenario.chance import Chance


@pytest.mark.parametrize("away", [0, 1, 700])  # numbers that were drawn before it was put away
def test_it_goes_on_as_a_random_that_was_there_from_the_beginning(away: int) -> None:
    wanted, chance = Random(5), Chance(5, (0, 500))
    assert chance.first == wanted.randint(0, 500)
    assert [chance.random() for _ in range(away)] == [wanted.random() for _ in range(away)]
    chance = pickle.loads(pickle.dumps(chance))
    assert [chance.randint(1, 9), chance.random(), chance.expovariate(2)] == [
        wanted.randint(1, 9),
        wanted.random(),
        wanted.expovariate(2),
    ]


def test_as_long_as_nobody_draws_a_number_it_is_small() -> None:
    assert len(pickle.dumps(Chance(5, (0, 500)))) < 200
