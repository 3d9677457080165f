import numpy as np
import pytest

from folkmoot import parts, plugins
from folkmoot.errors import PeerFault
from folkmoot.strategy import Model
from folkmoot.wire.messages import Plan
from tests.kit.trees import merge
from tests.kit.updates import LAYOUT, ROLES, SCALE, update, weights


def plain(model: dict, updates: list, rate: float) -> dict[str, list[float]]:
    """Federated averaging as the paper writes it, in float64 and element by element, on what the devices sent."""
    after = {}
    for group, tensors in LAYOUT.groups.items():
        flat = [float(value) for tensor in tensors for value in model[tensor.name].ravel()]
        deltas = [np.frombuffer(each.groups[group].data, "<f4").tolist() for each in updates]
        counts = [each.groups[group].weight for each in updates]
        moved = [
            flat[i] + rate * sum(count * delta[i] for count, delta in zip(counts, deltas, strict=True)) / sum(counts)
            for i in range(len(flat))
        ]
        for tensor in tensors:
            after[tensor.name], moved = moved[: tensor.size], moved[tensor.size :]
    return after


@pytest.mark.parametrize("devices", [1, 2, 12])
def test_a_tree_of_gateways_ends_in_what_plain_averaging_ends_in(devices: int) -> None:
    updates = [update(f"d{i:02}", i) for i in range(devices)]
    partial = merge((tuple(range(devices // 2)), *range(devices // 2, devices)), updates, LAYOUT)
    after = plugins.load("strategies", "fedavg").step(Model(weights()), parts.mean(partial, LAYOUT, SCALE), ROLES)
    for name, expected in plain(weights(), updates, 1.0).items():
        assert np.abs(after.weights[name].ravel() - expected).max() < 1e-6


def test_the_learning_rate_scales_what_is_trained_and_not_what_is_averaged() -> None:
    partial = merge((0, 1), [update("a", 1), update("b", 2)], LAYOUT)
    mean = parts.mean(partial, LAYOUT, SCALE)
    after = plugins.load("strategies", "fedavg", {"learning_rate": 0.25}).step(Model(weights()), mean, ROLES).weights
    assert np.allclose(after["output"], weights()["output"] + 0.25 * mean["output"], atol=1e-7)
    assert np.allclose(after["norm/mean"], weights()["norm/mean"] + mean["norm/mean"], atol=1e-7)


def test_a_round_that_brings_nothing_leaves_no_mean_to_step_by() -> None:
    with pytest.raises(PeerFault, match="no_usable_updates"):
        parts.mean(parts.Fold(LAYOUT.sizes(), SCALE).partial(), LAYOUT, SCALE)


def test_an_update_weighs_its_examples() -> None:
    strategy = plugins.load("strategies", "fedavg")
    assert strategy.weigh(431) == 431
    assert strategy.plan(Plan(epochs=2)) == Plan(epochs=2)
