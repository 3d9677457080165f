"""What retraction promises: whoever is taken out, wherever and whenever, was never there, to the bit."""

from hypothesis import given, settings
from hypothesis import strategies as st

from folkmoot.parts import Fold
from folkmoot.wire import partial
from folkmoot.wire.partial import Partial
from tests.kit.trees import Tree, trees
from tests.kit.updates import LAYOUT, SCALE, merged, update

DEVICES = 8
UPDATES = [update(f"device-{i}", i) for i in range(DEVICES)]


class Home:
    """The sums of one gateway, and the answers that are in them; or a device."""

    def __init__(self, tree: Tree) -> None:
        self.device = tree if isinstance(tree, int) else None
        self.fold = Fold(LAYOUT.sizes(), SCALE)
        self.below = [] if isinstance(tree, int) else [Home(child) for child in dict.fromkeys(tree)]
        for child in self.below:
            self.fold.add(child.answer)

    @property
    def answer(self) -> Partial:
        """What goes up, as it is read there."""
        content = self.fold.partial() if self.device is None else UPDATES[self.device]
        return partial.load(partial.dump(content), limit=1 << 20)

    def retract(self, device: int) -> bool:
        """Takes a device out, and says whether it was here: the answer that held it is replaced by one without it."""
        for child in self.below:
            before = child.answer
            if child.device == device or child.retract(device):
                self.fold.retract(before)
                if child.device == device or not child.answer.merged:
                    self.below.remove(child)
                else:
                    self.fold.add(child.answer)
                return True
        return False


@settings(max_examples=150)
@given(trees(DEVICES), st.lists(st.integers(0, DEVICES - 1), unique=True))
def test_whoever_is_taken_out_of_a_tree_was_never_there(tree: Tree, gone: list[int]) -> None:
    top = Home(tree)
    for device in gone:
        assert top.retract(device)
        assert not top.retract(device)
    assert partial.dump(top.answer) == partial.dump(merged(UPDATES[i] for i in range(DEVICES) if i not in gone))


@given(st.permutations(range(DEVICES)), st.data())
def test_it_does_not_matter_when_somebody_is_taken_out(order: list[int], data: st.DataObject) -> None:
    fold = Fold(LAYOUT.sizes(), SCALE)
    gone = set()
    for at, device in enumerate(order):
        fold.add(UPDATES[device])
        if data.draw(st.booleans()):
            out = data.draw(st.sampled_from([one for one in order[: at + 1] if one not in gone] or [None]))
            if out is not None:
                fold.retract(UPDATES[out])
                gone.add(out)
    assert partial.dump(fold.partial()) == partial.dump(merged(UPDATES[i] for i in order if i not in gone))
