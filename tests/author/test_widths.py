"""A narrower model is the full one without some of its channels, and computes the same where those are zero."""

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from itertools import pairwise
from math import ceil
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from folkmoot import arrays, cuts
from folkmoot.author import tensors, widths
from folkmoot.errors import UserFault
from folkmoot.wire.bundle import Cut
from tests.author.slim import CASES

layers = keras.layers
RATES = (1 / 2, 1 / 4, 1 / 8, 1 / 16)


@cache
def built(name: str) -> keras.Model:
    """Gives a case's model with weights none of which is zero."""
    model, rng = CASES[name].make(), np.random.default_rng(0)
    for variable in tensors.variables(model):
        values = rng.uniform(-0.7, 0.7, variable.tensor.shape)
        variable.value.assign(np.abs(values) + 0.5 if "variance" in variable.tensor.name else values)
    return model


@cache
def level(name: str, rate: float) -> tuple[keras.Model, dict[str, Cut]]:
    return widths.narrow(built(name), rate)


def values(model: keras.Model) -> dict[str, arrays.Array]:
    """Gives the weights of a model by name."""
    return {variable.tensor.name: variable.value.numpy() for variable in tensors.variables(model)}


@cache
def copy(name: str) -> keras.Model:
    """Gives the full model again."""
    return widths.narrow(built(name), 1.0)[0]


def emptied(name: str, rate: float) -> keras.Model:
    """Gives the full model with zeros in the place of every weight that a level does not have."""
    held = tensors.variables(copy(name))
    zeros = {variable.tensor.name: np.zeros(variable.tensor.shape, np.float32) for variable in held}
    narrow, cut = level(name, rate)
    cuts.spread(values(narrow), tensors.layout(held), cut, zeros)
    for each, part in values(narrow).items():
        if ".query." in each:  # attention divides by the square root of the channels that it has
            zeros[each] *= np.sqrt(zeros[each].shape[-1] / part.shape[-1])
    tensors.restore(held, arrays.pack(tensors.layout(held), zeros))
    return copy(name)


@pytest.mark.parametrize("name", CASES)
def test_a_half_has_half_the_channels_of_every_hidden_layer(name: str) -> None:
    model, cut = level(name, 1 / 2)
    shapes = {each: value.shape for each, value in values(model).items()}
    assert {each: shapes.get(each) for each in CASES[name].half} == CASES[name].half
    assert {each: cut[each][-1] for each in CASES[name].kept} == CASES[name].kept
    assert (model.input_shape, model.output_shape) == (built(name).input_shape, built(name).output_shape)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", CASES)
def test_a_level_is_a_part_of_the_full_model_tensor_for_tensor(name: str, rate: float) -> None:
    model, cut = level(name, rate)
    whole, part = tensors.variables(built(name)), tensors.variables(model)
    assert [(each.tensor.name, each.tensor.role) for each in part] == [(each.tensor.name, each.tensor.role) for each in whole]
    for full, narrow in zip(whole, part, strict=True):
        indices = [[i for run in axis for i in range(*run)] for axis in cut[full.tensor.name]]
        assert np.array_equal(narrow.value.numpy(), full.value.numpy()[np.ix_(*indices)])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", [name for name, each in CASES.items() if not each.whole])
def test_a_level_computes_what_the_full_model_does_without_the_rest(name: str, rate: float) -> None:
    model, _ = level(name, rate)
    rng, shape = np.random.default_rng(1), (3, *model.input_shape[1:])
    x = rng.integers(0, 30, shape) if model.inputs[0].dtype == "int32" else rng.uniform(-1, 1, shape).astype(np.float32)
    assert np.allclose(model(x), emptied(name, rate)(x), atol=1e-5)
    assert np.abs(model(x)).max() > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_a_narrower_level_is_a_part_of_every_wider_one(name: str) -> None:
    def kept(rate: float) -> set[tuple[str, int, int]]:
        cut = level(name, rate)[1]
        return {(each, i, j) for each in cut for i, axis in enumerate(cut[each]) for run in axis for j in range(*run)}

    found = [kept(rate) for rate in (1.0, *RATES)]
    assert all(wide >= narrow for wide, narrow in pairwise(found))
    assert found[0] > found[1]


@pytest.mark.parametrize("rate", [1.0, 0.9, 0.3, *RATES])
def test_the_first_channels_are_kept_rounded_up(rate: float) -> None:
    sizes = (1, 2, 10, 30)
    x = keras.Input((2,))
    hidden = layers.Concatenate()([layers.Dense(size, name=f"of{size}")(x) for size in sizes])
    _, cut = widths.narrow(keras.Model(x, layers.Dense(2)(hidden)), rate)
    # In decimal: a binary 0.1 times 30 is more than 3.
    assert [cut[f"of{size}.bias"] for size in sizes] == [(((0, ceil(Decimal(str(rate)) * size)),),) for size in sizes]


def test_weights_that_are_given_as_a_matrix_are_cut_like_others() -> None:
    table = keras.initializers.Constant(np.arange(20.0).reshape(5, 4))
    model = keras.Sequential(
        [keras.Input((3,), dtype="int32"), layers.Embedding(5, 4, table, name="words"), layers.Flatten(), layers.Dense(2)]
    )
    narrow, _ = widths.narrow(model, 1 / 2)
    assert values(narrow)["words.embeddings"].tolist() == [[4.0 * i, 4.0 * i + 1] for i in range(5)]


def test_a_frozen_layer_stays_frozen() -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, trainable=False, name="fixed"), layers.Dense(2, name="out")])
    narrow, _ = widths.narrow(model, 1 / 2)
    roles = {variable.tensor.name: variable.tensor.role for variable in tensors.variables(narrow)}
    assert (roles["fixed.kernel"], roles["out.kernel"]) == ("frozen", "trained")


def test_tensors_are_called_the_same_wherever_their_layers_were_made() -> None:
    with keras.name_scope("somewhere"):
        x = keras.Input((3,))
        y = layers.Dense(4, name="one")(x)
    innermost = keras.Sequential([layers.Dense(6, name="two")], name="innermost")
    model = keras.Model(x, keras.Sequential([innermost, layers.Dense(2, name="out")], name="inner")(y))
    narrow, cut = widths.narrow(model, 1 / 2)
    assert values(narrow).keys() == values(model).keys() == cut.keys()
    assert "somewhere.one.kernel" in cut


def test_the_full_model_is_left_as_it_is() -> None:
    before = tensors.block(tensors.variables(built("mobile")))
    narrow, _ = widths.narrow(built("mobile"), 1 / 2)
    for variable in tensors.variables(narrow):
        variable.value.assign_add(tf.ones(variable.tensor.shape))
    assert tensors.block(tensors.variables(built("mobile"))) == before


class Half(layers.Layer):
    """Has no weights, and is not Keras's own."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives the first half of the channels."""
        return x[..., : x.shape[-1] // 2]


class Own(layers.Dense):
    """May do anything."""


class Free(keras.Model):
    """Has a call of its own."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Gives x."""
        return x


def test_what_prepares_the_input_may_be_anything() -> None:
    prepared = layers.Lambda(lambda x: keras.ops.concatenate([x, x * x], -1), output_shape=(8,), name="squares")
    model = keras.Sequential([keras.Input((4,)), prepared, Half(), layers.Dense(6, name="one"), layers.Dense(2)])
    narrow, cut = widths.narrow(model, 1 / 2)
    assert cut["one.kernel"] == (((0, 4),), ((0, 3),))
    assert narrow(np.ones((1, 4), np.float32)).shape == (1, 2)


def behind(*inner: Any, shape: tuple[int | None, ...] = (4, 4)) -> keras.Model:
    """Gives a model with layers behind hidden channels."""
    return keras.Sequential([keras.Input(shape), layers.Dense(8, name="hidden"), *inner, layers.Dense(2, name="out")])


def reshaped() -> keras.Model:
    """Has an operation that says a shape."""
    return keras.Model(x := keras.Input((4,)), layers.Dense(2)(keras.ops.reshape(layers.Dense(8)(x), (-1, 4, 2))))


def adapted() -> keras.Model:
    """Has a layer with more weights than it is made with."""
    model = behind(layers.Dense(6, name="low"))
    model.get_layer("low").enable_lora(2)
    return model


REFUSED: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "a layer of one's own": (lambda: behind(Half(name="first")), r"through first \(Half\): use other layers of Keras"),
    "one with weights": (lambda: behind(Own(4, name="mine")), r"through mine \(Own\)"),
    "a function": (lambda: behind(layers.Lambda(lambda x: x * 2, name="twice")), r"through twice \(Lambda\)"),
    "an operation": (reshaped, r"through \w+ \(Reshape\)"),
    "channels first": (lambda: behind(layers.MaxPooling1D(2, data_format="channels_first", name="most")), "through most"),
    "states of a batch": (lambda: behind(layers.RNN(layers.GRUCell(3), name="cells")), r"through cells \(RNN\)"),
    "a model inside": (lambda: behind(Free(name="free")), "free has a call of its own"),
    "a model of one's own": (lambda: Free(name="free"), "free has a call of its own"),
    "a model without a shape": (
        lambda: keras.Sequential([layers.Dense(2)], name="bare"),
        "bare needs an input of a known shape",
    ),
    "an unknown shape": (lambda: behind(shape=(None, 4)), "needs an input of a known shape"),
    "weights that it had not at first": (adapted, "do not know the channels of low.kernel"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_followed_is_refused_in_one_sentence(why: str) -> None:
    make, sentence = REFUSED[why]
    with pytest.raises(UserFault, match=sentence) as refused:
        widths.narrow(make(), 1 / 2)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("rate", [0.0, -0.5, 1.5, float("nan")])
def test_a_rate_is_a_part_of_one(rate: float) -> None:
    with pytest.raises(UserFault, match="a rate above 0, up to 1, not"):
        widths.narrow(built("dense"), rate)
