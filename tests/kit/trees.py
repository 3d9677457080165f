"""Trees of gateways over devices, in every shape and order of arrival, for hypothesis."""

from collections.abc import Sequence

from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.parts import Fold
from folkmoot.wire import partial
from folkmoot.wire.layout import Layout
from folkmoot.wire.partial import Partial
from tests.kit.updates import SCALE

Tree = int | tuple["Tree", ...]
"""A device by its number, or a gateway with what arrives there, in that order; a child that comes twice stands there twice."""


@st.composite
def trees(draw: st.DrawFn, devices: int) -> Tree:
    """Gives a tree in which each of so many devices has one place, and some answers arrive more than once."""
    nodes: list[Tree] = list(draw(st.permutations(range(devices))))
    while len(nodes) > 1 and draw(st.booleans()):
        first = draw(st.integers(0, len(nodes) - 1))
        last = draw(st.integers(first, len(nodes) - 1))
        nodes[first : last + 1] = [_gateway(draw, nodes[first : last + 1])]
    return _gateway(draw, nodes)


def _gateway(draw: st.DrawFn, children: Sequence[Tree]) -> Tree:
    again = draw(st.lists(st.sampled_from(children), max_size=2))
    return tuple(draw(st.permutations([*children, *again])))


def merge(tree: Tree, updates: Sequence[Partial], layout: Layout) -> Partial:
    """Gives what arrives above `tree`: every hop encodes and decodes, and refuses what came before."""
    if isinstance(tree, int):
        content = updates[tree]
    else:
        fold = Fold(layout.sizes(), SCALE)
        for child in tree:
            before = fold.merged
            answer = merge(child, updates, layout)
            try:
                fold.add(answer)
            except PeerFault as fault:
                assert fault.reason == "duplicate_leaf"
                assert before.issuperset(answer.merged)
        content = fold.partial()
    return partial.load(partial.dump(content), limit=1 << 20)
