"""FedAvg that notes when a round begins; or, with `watch`, no rounds, but how many nodes are there, again and again."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

LOOK = 0.25  # seconds between two looks at who is there

app = ServerApp()


def note(marks: str, what: object) -> None:
    """Adds a line with the time, in seconds since 1970."""
    with Path(marks).open("a") as file:
        file.write(f"{time.time()} {what}\n")


class Marked(FedAvg):
    """FedAvg that notes when a round begins."""

    def __init__(self, marks: str, **options: Any) -> None:
        super().__init__(**options)
        self._marks = marks

    def configure_train(self, server_round: int, *rest: Any) -> Any:
        """Begins a round."""
        note(self._marks, server_round)
        return super().configure_train(server_round, *rest)


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Runs as many rounds as the configuration says."""
    wanted = context.run_config
    marks, nodes, tensors = str(wanted["marks"]), int(wanted["nodes"]), int(wanted["tensors"])
    if wanted["watch"]:
        while True:
            note(marks, len(list(grid.get_node_ids())))
            time.sleep(LOOK)
    rng = np.random.default_rng(0)
    size = int(wanted["parameters"]) // tensors
    arrays = ArrayRecord([rng.standard_normal(size).astype(np.float32) for _ in range(tensors)])
    strategy = Marked(marks, fraction_train=1.0, fraction_evaluate=0.0, min_train_nodes=nodes, min_available_nodes=nodes)
    strategy.start(grid=grid, initial_arrays=arrays, num_rounds=int(wanted["rounds"]))
    note(marks, "over")
