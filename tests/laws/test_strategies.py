"""What every strategy promises, of which there is a file. A new one is held to it by being there."""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folkmoot import arrays, parts, plugins
from folkmoot.strategy import Model, Strategy
from folkmoot.wire.layout import Layout, Tensor
from folkmoot.wire.messages import Plan
from folkmoot.wire.partial import Partial
from tests.kit.trees import Tree, merge, trees
from tests.kit.updates import LAYOUT, ROLES, SCALE, update, weights

DEVICES = 9
UPDATES = [update(f"device-{i}", i) for i in range(DEVICES)]

# Every strategy as it is, and what its options change most.
CHOICES: Mapping[str, tuple[Mapping[str, object], ...]] = {
    "fedopt": tuple({"optimizer": name} for name in ("momentum", "adagrad", "adam", "yogi")),
    "fedavg": ({"learning_rate": 0.3},),
}
EVERY = [(name, options) for name in plugins.names("strategies") for options in ({}, *CHOICES.get(name, ()))]
EXACT = [(name, options) for name, options in EVERY if plugins.load("strategies", name, options).merges == "exact"]
every = pytest.mark.parametrize(("name", "options"), EVERY)
exact = pytest.mark.parametrize(("name", "options"), EXACT)


def learnt(strategy: Strategy, partial: Partial, rounds: int = 3, layout: Layout = LAYOUT) -> Model:
    """Gives the model after rounds that all bring the same update: the first and the later ones differ by the state."""
    model = Model(weights(layout=layout))
    roles = {tensor.name: tensor.role for tensor in layout.tensors}
    for _ in range(rounds):
        model = strategy.step(model, parts.mean(partial, layout, SCALE), roles)
    return model


def digest(model: Model, layout: Layout = LAYOUT) -> str:
    """Gives the model's sha256, the state of the server's optimiser included."""
    state = b"".join(name.encode() + np.asarray(model.state[name]).tobytes() for name in sorted(model.state))
    return hashlib.sha256(arrays.pack(layout, model.weights) + state).hexdigest()


@cache
def star(name: str, options: tuple[tuple[str, Any], ...]) -> str:
    """Gives the digest that a flat star of all devices ends in."""
    return digest(learnt(plugins.load("strategies", name, dict(options)), merge(tuple(range(DEVICES)), UPDATES, LAYOUT)))


@exact
@settings(max_examples=200)
@given(tree=trees(DEVICES))
def test_every_tree_and_every_order_of_arrival_end_in_the_model_of_the_star(
    name: str, options: Mapping[str, Any], tree: Tree
) -> None:
    model = learnt(plugins.load("strategies", name, options), merge(tree, UPDATES, LAYOUT))
    assert digest(model) == star(name, tuple(options.items()))


@exact
def test_a_device_more_makes_another_model(name: str, options: Mapping[str, Any]) -> None:
    model = learnt(plugins.load("strategies", name, options), merge(tuple(range(DEVICES - 1)), UPDATES, LAYOUT))
    assert digest(model) != star(name, tuple(options.items()))


@exact
@given(st.lists(st.integers(0, DEVICES - 1), unique=True, min_size=1, max_size=DEVICES - 1))
def test_a_device_that_is_taken_out_again_leaves_no_trace(name: str, options: Mapping[str, Any], out: list[int]) -> None:
    strategy = plugins.load("strategies", name, options)
    fold = parts.Fold(LAYOUT.sizes(), SCALE)
    for each in UPDATES:
        fold.add(each)
    for i in out:
        fold.retract(UPDATES[i])
    kept = [each for i, each in enumerate(UPDATES) if i not in out]
    assert digest(learnt(strategy, fold.partial())) == digest(learnt(strategy, merge(tuple(range(len(kept))), kept, LAYOUT)))


@every
def test_a_step_is_the_same_twice_and_changes_nothing_that_it_was_given(name: str, options: Mapping[str, Any]) -> None:
    strategy = plugins.load("strategies", name, options)
    model, mean = learnt(strategy, UPDATES_MERGED), parts.mean(UPDATES_MERGED, LAYOUT, SCALE)
    before, changes = digest(model), {tensor: change.copy() for tensor, change in mean.items()}
    assert digest(strategy.step(model, mean, ROLES)) == digest(strategy.step(model, mean, ROLES)) != before
    assert digest(model) == before
    assert all(np.array_equal(mean[tensor], changes[tensor]) for tensor in mean)


@every
def test_a_step_keeps_names_shapes_and_dtypes(name: str, options: Mapping[str, Any]) -> None:
    layout = Layout(
        (
            Tensor("a", (3,), dtype="float16"),
            Tensor("b", (), dtype="float32", role="averaged"),
            Tensor("c", (2, 2), dtype="int8", role="averaged"),
            Tensor("d", (2,), role="frozen"),
        )
    )
    partial = merge((0, 1), [update("x", 1, layout=layout), update("y", 2, layout=layout)], layout)
    model = learnt(plugins.load("strategies", name, options), partial, layout=layout)
    arrays.pack(layout, model.weights)
    assert np.array_equal(model.weights["d"], weights(layout=layout)["d"])


@every
def test_what_no_device_may_train_is_left_alone_and_averages_are_no_gradients(name: str, options: Mapping[str, Any]) -> None:
    before = weights()
    after = learnt(plugins.load("strategies", name, options), UPDATES_MERGED, rounds=1).weights
    mean = parts.mean(UPDATES_MERGED, LAYOUT, SCALE)
    for tensor, role in ROLES.items():
        if role in ("local", "frozen"):
            assert np.array_equal(after[tensor], before[tensor])
        elif role == "averaged":
            assert np.allclose(after[tensor], before[tensor] + mean[tensor], atol=1e-6)


@every
def test_the_state_survives_being_stored(name: str, options: Mapping[str, Any]) -> None:
    model = learnt(plugins.load("strategies", name, options), UPDATES_MERGED)
    for array in model.state.values():
        assert np.asarray(array).dtype in (np.float32, np.int64)
        assert np.isfinite(array).all()


@every
def test_plans_and_weights_can_stand_in_an_ask(name: str, options: Mapping[str, Any]) -> None:
    strategy = plugins.load("strategies", name, options)
    plan = strategy.plan(Plan(epochs=3, learning_rate=0.05))
    assert msgspec.convert(msgspec.to_builtins(plan), Plan) == plan
    assert (plan.epochs, plan.learning_rate) == (3, 0.05)
    assert [type(strategy.weigh(examples)) for examples in (1, 10_000)] == [int, int]
    assert strategy.weigh(1) >= 1


UPDATES_MERGED = merge(tuple(range(DEVICES)), UPDATES, LAYOUT)
