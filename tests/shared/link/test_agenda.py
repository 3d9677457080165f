"""Things happen in the order of their times, and at one time as they were put down, or as they say."""

from random import Random

import pytest

from folkmoot.link.agenda import Agenda


def test_things_happen_when_they_are_due_and_one_after_another() -> None:
    agenda, said = Agenda(), []
    for time, word in ((5, "b"), (3, "a"), (5, "c"), (-7, "now")):
        agenda.at(time, said.append, word)
    assert agenda.next == 0
    agenda.run(4)
    assert (said, agenda.now, agenda.next) == (["now", "a"], 4, 5)
    agenda.run(9)
    assert (said, agenda.now, agenda.next) == (["now", "a", "b", "c"], 9, None)


def test_what_is_put_down_for_now_happens_now_behind_the_others() -> None:
    agenda, said = Agenda(), []
    agenda.at(1, lambda: agenda.at(0, said.append, "late"))
    agenda.at(1, said.append, "first")
    agenda.run(1)
    assert said == ["first", "late"]


@pytest.mark.parametrize("seed", range(20))
def test_what_has_an_order_comes_first_whenever_it_is_put_down(seed: int) -> None:
    things = [(time, order, f"{time} {order}") for time in (1, 2) for order in (-3, -2, -1)]
    things += [(time, None, f"{time} {n}") for time in (1, 2) for n in range(3)]
    shuffled = things.copy()
    Random(seed).shuffle(shuffled)
    agenda, said = Agenda(), []
    for time, order, word in shuffled:
        agenda.at(time, said.append, word, order=order)
    agenda.run(2)
    for time in (1, 2):
        mine = [word for word in said if word.startswith(f"{time} ")]
        assert mine[:3] == [f"{time} -3", f"{time} -2", f"{time} -1"]
        assert mine[3:] == [word for at, order, word in shuffled if at == time and order is None]


def test_steps_are_the_same_as_a_run() -> None:
    one, other = Agenda(), Agenda()
    said: tuple[list[str], list[str]] = ([], [])
    for agenda, words in zip((one, other), said, strict=True):
        for time, order in ((2, None), (1, None), (2, -1), (1, -1), (1, -2)):
            agenda.at(time, words.append, f"{time} {order}", order=order)
    one.run(5)
    while other.next is not None:
        other.step()
    assert said[0] == said[1] == ["1 -2", "1 -1", "1 None", "2 -1", "2 None"]


def test_after_a_fault_the_rest_is_still_due() -> None:
    agenda, said = Agenda(), []
    agenda.at(1, said.append, "a")
    agenda.at(1, [].pop)
    agenda.at(1, said.append, "b")
    with pytest.raises(IndexError):
        agenda.run(1)
    agenda.run(1)
    assert said == ["a", "b"]
    assert agenda.next is None
