from folkmoot import parts, plugins
from folkmoot.strategy import Model
from folkmoot.wire.messages import Plan
from tests.kit.trees import merge
from tests.kit.updates import LAYOUT, ROLES, SCALE, update, weights


def test_members_are_asked_for_the_proximal_term_and_for_the_rest_as_before() -> None:
    plan = Plan(epochs=4, learning_rate=0.02, seed=9)
    assert plugins.load("strategies", "fedprox", {"mu": 0.1}).plan(plan) == Plan(
        epochs=4, learning_rate=0.02, seed=9, proximal=0.1
    )


def test_the_server_does_what_federated_averaging_does() -> None:
    mean = parts.mean(merge((0, 1), [update("a", 1), update("b", 2)], LAYOUT), LAYOUT, SCALE)
    prox, average = (plugins.load("strategies", name).step(Model(weights()), mean, ROLES) for name in ("fedprox", "fedavg"))
    assert {name: array.tobytes() for name, array in prox.weights.items()} == {
        name: array.tobytes() for name, array in average.weights.items()
    }
