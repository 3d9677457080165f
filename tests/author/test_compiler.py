"""A compiled program trains as TensorFlow does, on the runtime that devices have."""

from collections.abc import Callable
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from folkmoot import arrays, graft
from folkmoot.arrays import Array
from folkmoot.author import compiler, flatbuffer, step, tensors
from folkmoot.author.draft import Draft
from folkmoot.errors import UserFault
from folkmoot.serve import reference
from folkmoot.serve.program import SIGNATURES, Interpreter, Learner
from folkmoot.wire import bundle
from folkmoot.wire.bundle import Bundle, Program
from tests.author import drafts
from tests.author.drafts import TRAINABLE

ONE_STEP = 1e-5  # of the largest element of TensorFlow's own step
TEN_STEPS = 1e-4


@cache
def compiled(name: str) -> tuple[Bundle, Program]:
    """Gives the bundle of a draft, compiled once for all tests."""
    return bundle.load(compiler.build(drawn(name)))


def drawn(name: str) -> Draft:
    """Gives a draft with the weights that it always begins with."""
    keras.utils.set_random_seed(7)
    found: Draft = getattr(drafts, name)()
    return found


def learner(name: str) -> Learner:
    """Gives a compiled program with its initial weights."""
    found, program = compiled(name)
    made = Learner(program)
    made.set_weights(found.weights)
    return made


def infer(tflite: bytes, x: Array) -> Array:
    """Gives what an inference program makes of each example."""
    run = Interpreter(model_content=tflite).get_signature_runner()
    return np.concatenate([run(x=example[None])["output"] for example in x])


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize(("steps", "close"), [(1, ONE_STEP), (10, TEN_STEPS)])
def test_steps_are_those_of_tensorflow(name: str, steps: int, close: float) -> None:
    draft, ours = drawn(name), learner(name)
    held = tensors.variables(draft.model)
    x, y = reference.batch(draft.contract, draft.batch)
    for _ in range(steps):
        step.step(draft, tf.constant(x), tf.constant(y), draft.plan.learning_rate)
        ours.train(x, y, rate=draft.plan.learning_rate)
    layout = ours.manifest.layout
    start, found, expected = (
        arrays.unpack(layout, block) for block in (compiled(name)[0].weights, ours.get_weights(), tensors.block(held))
    )
    for tensor in layout.tensors:
        way = np.abs(expected[tensor.name] - start[tensor.name]).max()
        # A float32 near 1 is known to 6e-8, however short the step is.
        assert np.abs(found[tensor.name] - expected[tensor.name]).max() <= close * way + 6e-8, tensor.name


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_program_has_builtin_operators_and_the_five_signatures(name: str) -> None:
    _, program = compiled(name)
    operators = flatbuffer.operators(program.tflite)
    assert not [one for one in operators if one.startswith("Flex") or one == "CUSTOM"]
    assert "CALL_ONCE" not in operators  # what would set initial values
    assert set(Interpreter(model_content=program.tflite).get_signature_list()) == set(SIGNATURES)


@pytest.mark.parametrize("name", TRAINABLE)
def test_inference_is_the_programs_own_with_any_weights(name: str) -> None:
    found, program = compiled(name)
    layout, ours = program.manifest.layout, learner(name)
    x, y = reference.batch(program.manifest.contract, program.manifest.batch)
    assert np.allclose(infer(found.inference["float"], x), ours.infer(x), atol=1e-5)
    for _ in range(3):
        ours.train(x, y, rate=0.1)
    grown = graft.apply(found.inference["float"], found.grafts["float"], layout, ours.get_weights())
    assert np.allclose(infer(grown, x), ours.infer(x), atol=1e-5)
    assert not np.allclose(infer(found.inference["float"], x), ours.infer(x), atol=1e-3)


def test_roles_say_what_the_optimiser_moves() -> None:
    roles = {tensor.name: tensor.role for tensor in compiled("normalised")[1].manifest.layout.tensors}
    assert roles["norm.moving_mean"] == roles["norm.moving_variance"] == "averaged"
    assert {role for name, role in roles.items() if "moving" not in name} == {"trained"}
    frozen = {tensor.name for tensor in compiled("saturating")[1].manifest.layout.tensors if tensor.role == "frozen"}
    assert frozen == {"fixed.kernel", "fixed.bias"}


def test_statistics_of_a_padded_batch_are_those_of_its_examples() -> None:
    ours = learner("normalised")
    x, y = reference.batch(ours.manifest.contract, 3)
    ours.train(x, y, rate=0.1)
    padded = ours.get_weights()
    ours.set_weights(compiled("normalised")[0].weights)
    ours.train(np.concatenate([x, x]), np.concatenate([y, y]), rate=0.1)
    layout = ours.manifest.layout
    one, two = arrays.unpack(layout, padded), arrays.unpack(layout, ours.get_weights())
    assert all(np.allclose(one[name], two[name], atol=1e-6) for name in one)


def test_a_frozen_layer_stays_as_it_is() -> None:
    ours = learner("saturating")
    x, y = reference.batch(ours.manifest.contract, ours.manifest.batch)
    ours.train(x, y, rate=1.0, proximal=0.5)
    before, after = (
        arrays.unpack(ours.manifest.layout, block) for block in (compiled("saturating")[0].weights, ours.get_weights())
    )
    assert {name for name in before if np.array_equal(before[name], after[name])} == {"fixed.kernel", "fixed.bias"}


def test_a_manifest_says_what_a_device_has_to_know() -> None:
    manifest = compiled("convolutions")[1].manifest
    assert manifest.parameters == sum(tensor.size for tensor in manifest.layout.tensors) == 191
    # The first convolution alone: 10 x 8 places, 4 kernels of 3 x 3 x 2, a product and a sum for each element.
    assert manifest.flops > 2 * 10 * 8 * 4 * 18
    assert 0 < manifest.peak_bytes < 16 << 20
    assert f"tensorflow {tf.__version__}" in manifest.made_with
    assert manifest.metrics == ("loss", "correct")
    assert compiled("saturating")[1].manifest.metrics == ("loss",)


def test_int8_inference_is_small_and_close() -> None:
    found, program = compiled("quantised")
    x = drafts.quantised().representative
    assert x is not None
    exact, rough = infer(found.inference["float"], x), infer(found.inference["int8"], x)
    assert np.abs(exact - rough).max() < 0.1 * np.abs(exact).max()
    assert "QUANTIZE" in flatbuffer.operators(found.inference["int8"])
    assert program.manifest.task == "tried"


REFUSED: dict[str, tuple[Callable[[], Draft], str]] = {
    "inverting": (drafts.inverting, r"MatrixInverse \(in .*inverse.*\) is an operator that no stock TFLite runtime has"),
    "dropping": (drafts.dropping, r"seed_generator_state is \w+; a program keeps float32 only"),
    "misfit": (drafts.misfit, r"the model takes \(3,\), the contract has x_shape \(4,\)"),
    "idling": (drafts.idling, r"the loss does not depend on spare.idle: freeze its layer"),
    "twins": (drafts.twins, r"two variables are called twin.scale: give them different names"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_is_refused_in_one_sentence(name: str) -> None:
    make, sentence = REFUSED[name]
    with pytest.raises(UserFault, match=sentence) as refused:
        compiler.build(make())
    assert "\n" not in str(refused.value)


def test_a_program_that_trains_otherwise_than_tensorflow_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "losses", lambda draft, held: [1.0] * reference.STEPS)
    with pytest.raises(UserFault, match="does not train as TensorFlow does"):
        compiler.build(drafts.draft([drafts.layers.Dense(3)], (4,)))
