"""What goes on and on, and is put away between."""

import pickle
from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.document import Absence
from folkmoot.simulate.scenario.tape import Tape

OFTEN = Absence(every_hours=1, for_minutes=6)


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 99))
def test_a_tape_goes_on_where_it_was_however_often_it_was_put_away(steps: list[int], seed: int) -> None:
    tape = Tape(profile.absences, OFTEN, seed)
    found = []
    for step in steps:
        found += list(islice(tape, step))
        tape = pickle.loads(pickle.dumps(tape))
    assert found == list(islice(profile.absences(OFTEN, seed), sum(steps)))


def test_a_tape_ends_where_what_makes_it_ends() -> None:
    tape = pickle.loads(pickle.dumps(Tape(map, str, range(2))))
    assert list(tape) == ["0", "1"]
    assert list(pickle.loads(pickle.dumps(tape))) == []
    assert next(Tape(count, 5)) == 5
