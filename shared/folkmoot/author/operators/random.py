"""Random numbers: a hash of the step's seed, the operator and the element, so that a step can be repeated on any machine.

The one random builtin of TFLite draws other numbers on other runtimes. Here a number is reckoned in float32 with whole numbers
below 2^23, which is exact, and in multiplications and roundings, which run vectorised. With p = 1,289, the largest prime below
1,670 for which every cube is of one number alone (p - 1 is not divisible by 3), and all arithmetic modulo p:

    v_k = (r_kb * c_kf + s_kb)^3      for k = 1, 2; example b, element f
    u   = (v_1 + v_2 + v_2 / p) / p   of [0, 1), in steps of 1 / p^2, v_1 + v_2 modulo p

`c` are constants of the operator, made of few (f = i * w + j: c = a_i * b_j + d_j), so that they take little of the program.
`r` and `s` follow from the seed by ten rounds x := (x + key + constant)^3 modulo 46,337, the cipher MiMC (Albrecht et al.,
2016) with a prime whose squares fit int32: it is used to mix, not to hide anything.
"""

import math

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from folkmoot.author.operator import Call, stand_in
from folkmoot.errors import UserFault

SMALL = 1_289
LARGE = 46_337
ROUNDS = 10
# Above the error of a product and its rounding (quotients below 1,670 are known to 3e-4), and below 1 / SMALL in all.
HALF = 0.5

Ints = NDArray[np.int32]


UNIFORM = ("StatelessRandomUniformV2", "RandomUniform")
NORMAL = ("StatelessRandomNormalV2", "RandomStandardNormal")
KINDS = UNIFORM + NORMAL


@stand_in(*UNIFORM)
def _uniform(call: Call) -> list[tf.Tensor]:
    return [uniform(_shape(call), _seed(call), (_stream(call), call.number))]


@stand_in(*NORMAL)
def _normal(call: Call) -> list[tf.Tensor]:
    """Box and Muller, 1958."""
    shape, seed = _shape(call), _seed(call)
    one, other = (uniform(shape, seed, (_stream(call), call.number, part)) for part in range(2))
    return [tf.sqrt(-2.0 * tf.math.log(1.0 - one)) * tf.cos(2.0 * np.pi * other)]


def uniform(shape: tuple[int, ...], seed: tf.Tensor, stream: tuple[int, ...]) -> tf.Tensor:
    """Gives numbers of [0, 1) in float32. `seed`: scalar int32, not negative; `stream`: another one for every operator."""
    rows, columns = (shape[0], int(np.prod(shape[1:]))) if len(shape) > 1 else (1, int(np.prod(shape)))
    rng = np.random.default_rng(stream)
    draws = []
    for _ in range(2):
        factor, term = (_keys(seed, _constants(rng, (rows, 1), LARGE), rng) for _ in range(2))
        mixed = _modulo(factor * _columns(columns, rng) + term)
        draws.append(_modulo(_modulo(mixed * mixed) * mixed))
    high, low = _modulo(draws[0] + draws[1]), draws[1] * np.float32(1 / SMALL)
    return tf.reshape((high + low) * np.float32(1 / SMALL), shape)


def _keys(seed: tf.Tensor, start: Ints, rng: np.random.Generator) -> tf.Tensor:
    """Gives a whole number below SMALL for each row, float32 [rows, 1]."""
    keys = (tf.math.floormod(seed, LARGE), tf.math.floormod(tf.math.floordiv(seed, LARGE), LARGE))
    x = tf.constant(start)
    for number in range(ROUNDS):
        x = tf.math.floormod(x + keys[number % 2] + int(rng.integers(LARGE)), LARGE)
        x = tf.math.floormod(tf.math.floormod(x * x, LARGE) * x, LARGE)
    return tf.cast(tf.math.floormod(x, SMALL), tf.float32)


def _columns(count: int, rng: np.random.Generator) -> tf.Tensor:
    """Gives a whole number below SMALL for each element of a row, float32 [1, count]."""
    wide = math.isqrt(count - 1) + 1
    along, across, term = (_constants(rng, shape, SMALL).astype(np.float32) for shape in ((wide, 1), (1, wide), (1, wide)))
    return tf.reshape(_modulo(tf.constant(along) * across + term), [1, wide * wide])[:, :count]


def _modulo(x: tf.Tensor) -> tf.Tensor:
    """Gives whole numbers below SMALL^2 modulo SMALL."""
    return x - tf.floor((x + HALF) * np.float32(1 / SMALL)) * float(SMALL)


def _constants(rng: np.random.Generator, shape: tuple[int, ...], below: int) -> Ints:
    return rng.integers(0, below, shape).astype(np.int32)


def _shape(call: Call) -> tuple[int, ...]:
    shape = tf.get_static_value(call.inputs[0])
    if shape is None:
        raise UserFault(f"{call.name.rstrip('/')} draws random numbers of a shape that depends on its input: fix the shape")
    return tuple(int(size) for size in shape)


def _stream(call: Call) -> int:
    return KINDS.index(call.kind)


def _seed(call: Call) -> tf.Tensor:
    return tf.constant(0) if call.seed is None else call.seed
