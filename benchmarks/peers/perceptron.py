"""One pass of SGD over a perceptron with one hidden layer of rectifiers, in numpy: what a client of Flower's does."""

import numpy as np
from numpy.typing import NDArray

Weights = list[NDArray[np.float32]]


def draw(inputs: int, hidden: int, classes: int) -> Weights:
    """Gives weights as He et al. (2015) draw them, biases 0."""
    rng = np.random.default_rng(0)
    shapes = ((inputs, hidden), (hidden, classes))
    drawn = [(rng.standard_normal(shape) * np.sqrt(2 / shape[0])).astype(np.float32) for shape in shapes]
    return [drawn[0], np.zeros(hidden, np.float32), drawn[1], np.zeros(classes, np.float32)]


def train(weights: Weights, x: NDArray[np.float32], y: NDArray[np.int64], batch: int, rate: float = 0.1) -> Weights:
    """Gives the weights after one epoch. `x`: [n, inputs]; `y`: [n], classes by number."""
    w1, b1, w2, b2 = (part.copy() for part in weights)
    for at in range(0, len(x), batch):
        given, wanted = x[at : at + batch], y[at : at + batch]
        before = given @ w1 + b1
        hidden = np.maximum(before, 0)
        out = hidden @ w2 + b2
        out = np.exp(out - out.max(1, keepdims=True))
        out /= out.sum(1, keepdims=True)
        out[np.arange(len(wanted)), wanted] -= 1
        out /= len(wanted)
        back = (out @ w2.T) * (before > 0)
        w2 -= rate * (hidden.T @ out)
        b2 -= rate * out.sum(0)
        w1 -= rate * (given.T @ back)
        b1 -= rate * back.sum(0)
    return [w1, b1, w2, b2]
