"""Flower's simulation engine (Ray) with the clients of benchmarks/fleet.py: `simulation.py digits`, or `wide`.

Two cores are two clients at a time. Clients train with numpy, which for models as small as these is quicker than torch.
"""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from flwr.app import ArrayRecord, Context, Message
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from benchmarks.marks import Marks
from benchmarks.peers import perceptron
from benchmarks.peers.flower.clients import FLEETS, client_app


class Marked(FedAvg):
    """FedAvg that notes when a round is over."""

    def __init__(self, marks: Marks, **options: Any) -> None:
        super().__init__(**options)
        self._marks = marks

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        """Adds up a round. Fails where a client did not answer."""
        answers = list(replies)
        assert not any(answer.has_error() for answer in answers), "a client failed"
        merged = super().aggregate_train(server_round, answers)
        self._marks.mark(server_round)
        return merged


def server_app(fleet: str, marks: Marks) -> ServerApp:
    """Gives the server of a fleet."""
    app = ServerApp()
    hidden, clients, sampled, _, rounds = FLEETS[fleet]

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = Marked(
            marks, fraction_train=sampled / clients, fraction_evaluate=0.0, min_train_nodes=sampled, min_available_nodes=clients
        )
        strategy.start(grid=grid, initial_arrays=ArrayRecord(perceptron.draw(64, hidden, 10)), num_rounds=rounds)

    return app


def main(fleet: str) -> None:
    """Runs a fleet, and prints its pace."""
    marks = Marks()
    run_simulation(
        server_app=server_app(fleet, marks),
        client_app=client_app(fleet),
        num_supernodes=FLEETS[fleet][1],
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )
    print(json.dumps(marks.figures(FLEETS[fleet][2])), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    main(sys.argv[1])
