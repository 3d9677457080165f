"""What adding up promises, whatever a strategy makes of the sums: their bytes are the same for every tree and every order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from folkmoot.parts import Fold
from folkmoot.wire import partial
from folkmoot.wire.partial import Partial
from tests.kit.trees import Tree, merge, trees
from tests.kit.updates import LAYOUT, SCALE, merged, update

DEVICES = 9
UPDATES = [update(f"device-{i}", i) for i in range(DEVICES)]
STAR = partial.dump(merge(tuple(range(DEVICES)), UPDATES, LAYOUT))


@settings(max_examples=200)
@given(trees(DEVICES))
def test_every_tree_and_every_order_of_arrival_add_up_to_the_bytes_of_the_star(tree: Tree) -> None:
    assert partial.dump(merge(tree, UPDATES, LAYOUT)) == STAR


@given(st.permutations(range(DEVICES)), st.integers(1, DEVICES - 2), st.integers(1, DEVICES - 2))
def test_merging_is_associative_and_commutative(order: list[int], first: int, second: int) -> None:
    low, high = sorted((first, max(second, first + 1)))
    a, b, c = (merged(UPDATES[i] for i in some) for some in (order[:low], order[low:high], order[high:]))
    assert partial.dump(merged([merged([a, b]), c])) == partial.dump(merged([a, merged([b, c])])) == STAR
    assert partial.dump(merged([c, b, a])) == STAR


@given(st.permutations(range(DEVICES)), st.integers(1, DEVICES - 1))
def test_a_home_can_be_taken_out_as_a_whole(order: list[int], size: int) -> None:
    home = merged(UPDATES[i] for i in order[:size])
    fold = Fold(LAYOUT.sizes(), SCALE)
    fold.add(home)
    for i in order[size:]:
        fold.add(UPDATES[i])
    fold.retract(home)
    assert partial.dump(fold.partial()) == partial.dump(merged(UPDATES[i] for i in order[size:]))


@given(st.lists(st.integers(0, DEVICES - 1), unique=True, min_size=1))
def test_sums_survive_the_codec(some: list[int]) -> None:
    fold = Fold(LAYOUT.sizes(), SCALE)
    for i in some:
        fold.add(UPDATES[i])
    sums: Partial = fold.partial()
    assert partial.load(partial.dump(sums), limit=1 << 20) == sums
    assert partial.dump(merged([sums])) == partial.dump(sums)
