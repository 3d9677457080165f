"""The fewest answers without which a round is good.

Delta debugging (A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002, the
algorithm ddmin of figure 3), applied to what is left out. What it looks for is a set of answers that mends the round when all
of it is left out, and none of which can be taken back. With one culprit that is a binary search, two looks a halving.

Looking for what is bad by itself would find the wrong ones: an honest device that knows two of ten digits makes a bad model
alone.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

Mends = Callable[[frozenset[int]], bool]
"""Whether the round is good without these."""


def fewest(items: Sequence[int], mends: Mends) -> list[int]:
    """Gives such a set, in the order of `items`. `mends` holds for all of them, and not for none."""
    found, pieces = list(items), 2
    while len(found) > 1:
        split = _split(found, pieces)
        smaller = next((piece for piece in split if mends(frozenset(piece))), None)
        if smaller is not None:
            found, pieces = smaller, 2
            continue
        # Of two pieces each is what is left of the other.
        rests = [[one for one in found if one not in piece] for piece in split] if pieces > 2 else []
        larger = next((rest for rest in rests if mends(frozenset(rest))), None)
        if larger is not None:
            found, pieces = larger, max(pieces - 1, 2)
        elif pieces < len(found):
            pieces = min(2 * pieces, len(found))
        else:
            break
    return found


def _split(items: list[int], pieces: int) -> list[list[int]]:
    """Gives so many pieces, as equal as can be, none of them empty."""
    edges = [len(items) * number // pieces for number in range(pieces + 1)]
    return [items[start:end] for start, end in pairwise(edges) if start < end]
