from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
import pytest

from folkmoot import plugins
from folkmoot.strategy import Model

ROLES = {"w": "trained", "mean": "averaged"}
START = [0.5, -1.0, 0.0, 2.0]
# Means of five rounds: one element that alternates, one that never moves, one that is small, one that is large.
MEANS = [[0.3 * (-1) ** t, 0.0, 1e-4 * (t + 1), -1.5 / (t + 1)] for t in range(5)]


def scalar(optimizer: str, rate: float, beta1: float, beta2: float, tau: float) -> list[float]:
    """One weight at a time, as Algorithm 2 of Reddi et al. reads (FedAvgM: as Hsu et al. read); plain Python floats."""
    ends = []
    for i, start in enumerate(START):
        x, m, v = start, 0.0, tau * tau
        for mean in MEANS:
            d = mean[i]
            if optimizer == "momentum":
                m = beta1 * m + d
                x += rate * m
                continue
            m = beta1 * m + (1 - beta1) * d
            if optimizer == "adagrad":
                v = v + d * d
            elif optimizer == "yogi":
                v = v - (1 - beta2) * d * d * ((v > d * d) - (v < d * d))
            else:
                v = beta2 * v + (1 - beta2) * d * d
            x += rate * m / (sqrt(v) + tau)
        ends.append(x)
    return ends


def run(options: dict[str, Any]) -> Model:
    strategy = plugins.load("strategies", "fedopt", options)
    model = Model({"w": np.array(START, np.float32), "mean": np.zeros(4, np.float32)})
    for mean in MEANS:
        model = strategy.step(model, {"w": np.array(mean), "mean": np.array(mean)}, ROLES)
    return model


@pytest.mark.parametrize(
    ("optimizer", "rate", "beta1"), [("momentum", 1.0, 0.9), ("adagrad", 0.1, 0.0), ("adam", 0.01, 0.9), ("yogi", 0.01, 0.9)]
)
def test_left_to_itself_each_optimiser_is_the_paper_s(optimizer: str, rate: float, beta1: float) -> None:
    model = run({"optimizer": optimizer})
    assert model.weights["w"].dtype == np.float32
    assert np.abs(model.weights["w"] - scalar(optimizer, rate, beta1, 0.99, 1e-3)).max() < 1e-6


@pytest.mark.parametrize("optimizer", ["momentum", "adagrad", "adam", "yogi"])
def test_the_options_are_the_paper_s_symbols(optimizer: str) -> None:
    options = {"learning_rate": 0.05, "beta1": 0.6, "beta2": 0.9, "tau": 0.01}
    model = run({"optimizer": optimizer, **options})
    assert np.abs(model.weights["w"] - scalar(optimizer, 0.05, 0.6, 0.9, 0.01)).max() < 1e-6


@pytest.mark.parametrize("optimizer", ["momentum", "adagrad", "adam", "yogi"])
def test_a_weight_that_no_update_moves_stays(optimizer: str) -> None:
    assert run({"optimizer": optimizer}).weights["w"][1] == START[1]


def test_averaged_tensors_bypass_the_optimiser_and_have_no_state() -> None:
    model = run({"optimizer": "adam"})
    assert np.allclose(model.weights["mean"], np.sum(MEANS, axis=0), atol=1e-6)
    assert sorted(model.state) == ["m/w", "v/w"]
    assert sorted(run({"optimizer": "momentum"}).state) == ["m/w"]


def stored(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.frombuffer(array.tobytes(), "<f4") for name, array in arrays.items()}


def test_a_run_that_goes_on_from_a_stored_version_ends_where_it_would_have() -> None:
    strategy = plugins.load("strategies", "fedopt", {"optimizer": "yogi"})
    model = Model({"w": np.array(START, np.float32), "mean": np.zeros(4, np.float32)})
    for mean in MEANS:
        model = strategy.step(model, {"w": np.array(mean), "mean": np.array(mean)}, ROLES)
        model = Model(stored(model.weights), stored(model.state))
    assert model.weights["w"].tobytes() == run({"optimizer": "yogi"}).weights["w"].tobytes()
