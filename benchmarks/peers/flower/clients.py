"""Clients of Flower's simulation: module of its own, because Ray's workers import what they do not get as bytes."""

from functools import cache
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from benchmarks.peers import perceptron

# What a fleet is: hidden units, clients, how many a round has, examples in a batch, and rounds.
FLEETS = {"digits": (64, 100, 100, 10, 8), "wide": (128, 1_000, 100, 16, 12)}
EACH = 32  # examples of a client whose data is generated


@cache
def dealt() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Gives the digits in a random order, as many as we deal; they are read once in a worker process."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))[:1_500]
    return (x[order] / 16).astype(np.float32), y[order]


def examples(fleet: str, client: int, clients: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Gives those of a client: 15 of the digits, or noise with labels."""
    if fleet == "digits":
        x, y = dealt()
        mine = np.array_split(np.arange(len(y)), clients)[client]
        return x[mine], y[mine]
    rng = np.random.default_rng(client)
    return rng.standard_normal((EACH, 64)).astype(np.float32), rng.integers(0, 10, EACH)


def client_app(fleet: str) -> ClientApp:
    """Gives the clients of a fleet."""
    app = ClientApp()
    _, clients, _, batch, _ = FLEETS[fleet]
    held: dict[int, Any] = {}  # of a worker process, which is all clients by turns: none has to be dealt its examples twice

    @app.train()
    def train(message: Message, context: Context) -> Message:
        number = int(context.node_config["partition-id"])
        if number not in held:
            held[number] = examples(fleet, number, clients)
        x, y = held[number]
        weights = perceptron.train(message.content["arrays"].to_numpy_ndarrays(), x, y, batch)
        content = {"arrays": ArrayRecord(weights), "metrics": MetricRecord({"num-examples": len(y)})}
        return Message(content=RecordDict(content), reply_to=message)

    return app
