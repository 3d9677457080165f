"""scikit-learn's handwritten digits: what the product runs on out of the box.

1,797 images of 8 x 8 pixels (E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998; the test part).
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from folkmoot.errors import UserFault

DEALT = 1_500  # the other 297 are dealt to no device: the accuracy on them is nobody's own
CONTRACT = "digits-8x8"
SPLIT = 0  # seed of the split


@dataclass(frozen=True, slots=True)
class Digits:
    """Images (n, 64) float32 in [0, 1], and labels (n,) int32."""

    x: NDArray[np.float32]
    y: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.y)


def load() -> tuple[Digits, Digits]:
    """Gives the images to deal and those that no device is dealt.

    Raises UserFault where scikit-learn is not installed.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:  # the devices of a real home have no use for it
        raise UserFault("the digits come with scikit-learn: install folkmoot[demo]")
    # Its file, and not its load_digits(): that imports most of scikit-learn and SciPy, which takes seconds and 100 MB.
    rows = np.loadtxt(Path(found.origin).with_name("datasets") / "data" / "digits.csv.gz", delimiter=",")
    order = np.random.default_rng(SPLIT).permutation(len(rows))
    x, y = (rows[order, :-1] / 16).astype(np.float32), rows[order, -1].astype(np.int32)
    return Digits(x[:DEALT], y[:DEALT]), Digits(x[DEALT:], y[DEALT:])


def more(digits: Digits, count: int, rng: np.random.Generator) -> Digits:
    """Gives `count` images: the given ones, and for what is missing, given ones with pixels that are a little off."""
    if count <= len(digits):
        return Digits(digits.x[:count], digits.y[:count])
    again = rng.integers(0, len(digits), count - len(digits))
    blurred = np.clip(digits.x[again] + rng.normal(0, 0.05, (len(again), 64)), 0, 1).astype(np.float32)
    return Digits(np.concatenate([digits.x, blurred]), np.concatenate([digits.y, digits.y[again]]))
