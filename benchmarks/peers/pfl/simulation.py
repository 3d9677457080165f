"""pfl-research's simulation with the clients of benchmarks/fleet.py: `simulation.py wide`. Torch on one thread, one process.

More processes would need its Horovod or torch.distributed backends, which split the clients of a round in the same way.
"""

import json
import sys

import numpy as np
import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.aggregate.weighting import WeightByDatapoints
from pfl.algorithm import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.sampling import get_user_sampler
from pfl.hyperparam import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics, Weighted
from pfl.model.pytorch import PyTorchModel

from benchmarks.marks import Marks

FLEETS = {"wide": (128, 1_000, 100, 16, 60)}  # hidden units, clients, how many a round has, examples in a batch, rounds
EACH = 32  # examples of a client


class Perceptron(torch.nn.Module):
    """64-hidden-10."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(64, hidden)
        self.out = torch.nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Gives logits."""
        return self.out(torch.relu(self.hidden(x)))

    def loss(self, x: torch.Tensor, y: torch.Tensor, eval: bool = False) -> torch.Tensor:
        """Gives the mean cross-entropy, as pfl wants it."""
        self.train(not eval)
        return torch.nn.functional.cross_entropy(self(x), y)

    def metrics(self, x: torch.Tensor, y: torch.Tensor, eval: bool = True) -> dict[str, Weighted]:
        """Gives what pfl wants to know of a model."""
        return {"loss": Weighted(float(self.loss(x, y, True)) * len(y), len(y))}


class Marked(TrainingProcessCallback):
    """Notes when a round is over."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def after_central_iteration(
        self, aggregate: Metrics, model: PyTorchModel, *, central_iteration: int
    ) -> tuple[bool, Metrics]:
        """Is called by pfl after each round, from 0."""
        self._marks.mark(central_iteration + 1)
        return False, Metrics()


def main(fleet: str) -> None:
    """Runs a fleet, and prints its pace."""
    hidden, clients, sampled, batch, rounds = FLEETS[fleet]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((clients, EACH, 64)).astype(np.float32))
    y = torch.from_numpy(rng.integers(0, 10, (clients, EACH)))
    net = Perceptron(hidden)

    def deal(user: int) -> Dataset:
        return Dataset(raw_data=[x[user], y[user]], user_id=str(user))

    data = FederatedDataset(make_dataset_fn=deal, user_sampler=get_user_sampler("random", list(range(clients))))
    model = PyTorchModel(
        model=net, local_optimizer_create=torch.optim.SGD, central_optimizer=torch.optim.SGD(net.parameters(), 1.0)
    )
    marks = Marks()
    FederatedAveraging().run(
        algorithm_params=NNAlgorithmParams(
            central_num_iterations=rounds, evaluation_frequency=rounds + 1, train_cohort_size=sampled, val_cohort_size=0
        ),
        backend=SimulatedBackend(training_data=data, val_data=data, postprocessors=[WeightByDatapoints()]),
        model=model,
        model_train_params=NNTrainHyperParams(local_learning_rate=0.1, local_num_epochs=1, local_batch_size=batch),
        model_eval_params=NNEvalHyperParams(local_batch_size=EACH),
        callbacks=[Marked(marks)],
    )
    print(json.dumps(marks.figures(sampled)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
