"""A home's own model, for the rounds that it runs by itself: its members' mean, and no more.

HierFAVG (Liu et al., "Client-Edge-Cloud Hierarchical Federated Learning", ICC 2020, Algorithm 1): between two steps of the
cloud, an edge averages. Whatever optimiser the cloud has, its state is the cloud's.
"""

from folkmoot import arrays, parts
from folkmoot.wire import partial
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Ask


def step(ask: Ask, layout: Layout, block: bytes, answer: bytes) -> bytes:
    """Gives the block of weights that a home gets from its answer to an Ask: `block`, which it started from, plus the mean.

    Raises PeerFault("no_usable_updates") where nobody's update is in the answer, PeerFault("layout") where the block is not of
    the layout.
    """
    mean = parts.mean(partial.load(answer, limit=len(answer)), layout, ask.scale)
    weights = arrays.unpack(layout, block)
    return arrays.pack(layout, {**weights, **{name: arrays.moved(weights[name], change) for name, change in mean.items()}})
