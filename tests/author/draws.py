"""The random numbers of a program as folkmoot.author.operators.random defines them, in whole numbers."""

import numpy as np
from numpy.typing import NDArray

SMALL, LARGE, ROUNDS = 1_289, 46_337, 10
# Streams of the operators that Keras makes: StatelessRandomUniformV2 and StatelessRandomNormalV2.
UNIFORM, NORMAL = 0, 2


def uniform(
    shape: tuple[int, ...], seed: int, number: int, *, kind: int = UNIFORM, part: tuple[int, ...] = ()
) -> NDArray[np.float32]:
    """Gives numbers of [0, 1)."""
    rng = np.random.default_rng((kind, number, *part))
    rows, columns = shape[0], int(np.prod(shape[1:]))
    draws = []
    for _ in range(2):
        factor, term = (_keys(seed, rows, rng) for _ in range(2))
        mixed = (factor * _columns(columns, rng) + term) % SMALL
        draws.append(mixed**3 % SMALL)
    high, low = (draws[0] + draws[1]) % SMALL, draws[1]
    share = np.float32(1 / SMALL)
    return ((high.astype(np.float32) + low.astype(np.float32) * share) * share).reshape(shape)


def normal(shape: tuple[int, ...], seed: int, number: int) -> NDArray[np.float32]:
    """Gives numbers around 0 with deviation 1."""
    one, other = (uniform(shape, seed, number, kind=NORMAL, part=(part,)).astype(np.float64) for part in range(2))
    return (np.sqrt(-2 * np.log(1 - one)) * np.cos(2 * np.pi * other)).astype(np.float32)


def _columns(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    wide = int(np.ceil(np.sqrt(count)))
    along, across, term = (rng.integers(0, SMALL, shape) for shape in ((wide, 1), (1, wide), (1, wide)))
    return ((along * across + term) % SMALL).reshape(1, -1)[:, :count]


def _keys(seed: int, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    x = rng.integers(0, LARGE, (rows, 1))
    keys = (seed % LARGE, seed // LARGE % LARGE)
    for number in range(ROUNDS):
        x = (x + keys[number % 2] + int(rng.integers(LARGE))) % LARGE
        x = x**3 % LARGE
    return x % SMALL
