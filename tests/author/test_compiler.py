"""A bundle holds what it promises, and what cannot be compiled is refused in one sentence.

That its steps are TensorFlow's, layer by layer, is in test_conformance.
"""

from collections.abc import Callable
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from folkmoot import arrays, cuts, graft
from folkmoot.arrays import Array
from folkmoot.author import compiler, flatbuffer, step, widths
from folkmoot.author.draft import Draft
from folkmoot.errors import UserFault
from folkmoot.serve import reference
from folkmoot.serve.program import RUNTIMES, Learner, runtime
from folkmoot.wire import bundle, codec
from folkmoot.wire.bundle import Bundle, Program
from tests.author import drafts
from tests.author.drafts import TRAINABLE

SIGNATURES = {"train", "evaluate", "infer", "get_weights", "set_weights", "reset"}


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


def generated(made: Learner) -> tuple[Array, Array]:
    """Gives a whole batch."""
    return reference.batch(made.manifest.contract, made.manifest.batch)


def values(made: Learner) -> dict[str, Array]:
    """Gives the weights by name."""
    return arrays.unpack(made.manifest.layout, made.get_weights())


def infer(tflite: bytes, x: Array) -> Array:
    """Gives what an inference program makes of each example."""
    run = runtime().Interpreter(model_content=tflite).get_signature_runner()
    return np.concatenate([run(x=example[None])["output"] for example in x])


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize("on", RUNTIMES)
def test_a_program_has_the_losses_that_its_manifest_records(name: str, on: str) -> None:
    found, program = compiled(name)
    losses = reference.losses(Learner(program, on=on), found.weights, program.manifest.reference["learning_rate"])
    assert reference.worst(losses, program.manifest) <= reference.TOLERANCE


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_program_has_builtin_operators_and_the_signatures_of_its_manifest(name: str) -> None:
    _, program = compiled(name)
    operators = flatbuffer.operators(program.tflite)
    assert not [one for one in operators if one.startswith("Flex") or one == "CUSTOM"]
    assert "CALL_ONCE" not in operators  # what would set initial values
    loaded = runtime().Interpreter(model_content=program.tflite)
    described = program.manifest.signatures
    assert (
        set(loaded.get_signature_list()) == described.keys() == SIGNATURES | ({"features"} if name == "normalised" else set())
    )
    for signature, says in described.items():
        runner = loaded.get_signature_runner(signature)
        for details, declared in ((runner.get_input_details(), says.inputs), (runner.get_output_details(), says.outputs)):
            found = {key: (tuple(one["shape"]), np.dtype(one["dtype"]).name) for key, one in details.items()}
            assert found == {key: (one.shape, one.dtype) for key, one in declared.items()}


@pytest.mark.parametrize("name", TRAINABLE)
def test_inference_is_the_programs_own_with_any_weights(name: str) -> None:
    found, program = compiled(name)
    layout, ours = program.manifest.layout, learner(name)
    x, y = generated(ours)
    assert np.allclose(infer(found.inference["float"], x), ours.infer(x), atol=1e-5)
    for _ in range(3):
        ours.train(x, y, rate=0.1)
    frozen_or_shared = graft.apply(found.inference["float"], found.grafts["float"], layout, ours.get_weights())
    if not any(tensor.role == "local" for tensor in layout.tensors):  # which stay on their device
        assert np.allclose(infer(frozen_or_shared, x), ours.infer(x), atol=1e-5)
    assert not np.allclose(infer(found.inference["float"], x), ours.infer(x), atol=1e-3)


def test_every_part_of_a_bundle_is_named_by_its_digest() -> None:
    found, _ = compiled("normalised")
    assert found.digests == {name: codec.digest(part) for name, part in found.parts().items()}
    assert found.digests.keys() == {"program", "weights", "levels/0.5", "levels/0.25", "inference/float"}


def test_roles_say_what_becomes_of_a_tensor() -> None:
    roles = {tensor.name: tensor.role for tensor in compiled("normalised")[1].manifest.layout.tensors}
    assert roles["norm.moving_mean"] == roles["norm.moving_variance"] == "averaged"
    assert {role for name, role in roles.items() if "moving" not in name} == {"trained"}
    tensors = {tensor.name: tensor.role for tensor in compiled("saturating")[1].manifest.layout.tensors}
    assert {name for name, role in tensors.items() if role == "frozen"} == {"fixed.kernel", "fixed.bias"}
    assert {name for name, role in tensors.items() if role == "local"} == {"share.kernel", "share.bias"}


def test_what_moves_is_what_is_trained_shared_or_not() -> None:
    ours = learner("saturating")
    before, batch = values(ours), generated(ours)
    ours.train(*batch, rate=1.0, proximal=0.5)
    moved = {name for name, value in values(ours).items() if not np.array_equal(value, before[name])}
    assert moved == set(ours.manifest.trained) == before.keys() - {"fixed.kernel", "fixed.bias"}


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_masked_tensor_stays_as_it_is(name: str) -> None:
    ours = learner(name)
    head = {tensor for tensor in ours.manifest.trained if tensor.startswith(("logits", "numbers", "outer"))}
    before, batch = values(ours), generated(ours)
    for seed in range(2):
        ours.train(*batch, rate=0.5, proximal=0.1, only=head, seed=seed)
    moved = {tensor for tensor, value in values(ours).items() if not np.array_equal(value, before[tensor])}
    assert {tensor for tensor in moved if "moving" not in tensor} == head


def test_a_step_can_be_repeated_and_another_seed_is_another_step() -> None:
    found, made = compiled("remembering")[0], learner("remembering")
    batch, steps = generated(made), {}
    for seed in (3, 4, 3):
        made.set_weights(found.weights)
        losses = made.train(*batch, rate=0.01, seed=seed)
        steps.setdefault(seed, []).append((losses.tobytes(), made.get_weights()))
    assert steps[3][0] == steps[3][1] != steps[4][0]


def test_an_optimiser_remembers_until_it_is_reset() -> None:
    found, made = compiled("remembering")[0], learner("remembering")
    batch = generated(made)

    def after(*, reset: bool) -> bytes:
        made.set_weights(found.weights, reset=reset)
        made.train(*batch, rate=0.01, seed=1)
        return made.get_weights()

    fresh = after(reset=True)
    assert after(reset=False) != fresh == after(reset=True)


def test_without_a_plan_the_rate_is_the_optimisers() -> None:
    manifest = compiled("remembering")[1].manifest
    assert (manifest.optimizer.name, manifest.plan.learning_rate) == ("adam", pytest.approx(0.01))


def test_features_are_what_the_named_layer_gives() -> None:
    ours, draft = learner("normalised"), drawn("normalised")
    x, _ = generated(ours)
    body = keras.Model(draft.model.inputs, draft.model.get_layer("mean").output)
    assert np.allclose(ours.features(x), body(x).numpy(), atol=1e-5)


def test_metrics_are_sums_over_the_examples_that_count() -> None:
    ours = learner("saturating")
    x, y = generated(ours)
    losses, sums = ours.evaluate(x[:3], y[:3])
    apart = y[:3] - ours.infer(x[:3])
    assert losses == pytest.approx((apart**2).mean(1), abs=1e-5)
    assert sums == {"mae": pytest.approx(np.abs(apart).mean(1).sum(), abs=1e-5)}
    assert compiled("saturating")[1].manifest.metrics == ("loss", "mae")


def test_statistics_of_a_padded_batch_are_those_of_its_examples() -> None:
    ours = learner("normalised")
    x, y = reference.batch(ours.manifest.contract, 2)
    ours.train(x, y, rate=0.1)
    padded = values(ours)
    ours.set_weights(compiled("normalised")[0].weights)
    again = np.arange(ours.manifest.batch) % 2
    weight = (np.arange(ours.manifest.batch) < 2).astype(np.float32)
    ours.train(x[again], y[again], rate=0.1, sample_weight=weight)
    assert all(np.array_equal(value, padded[name]) for name, value in values(ours).items())


def test_levels_are_narrower_programs_that_train() -> None:
    found, program = compiled("normalised")
    for rate, encoded in found.levels.items():
        level = bundle.program(encoded)
        assert level.manifest.rate == float(rate)
        block = cuts.narrow(found.weights, program.manifest.layout, level.manifest.layout, level.manifest.cuts)
        losses = reference.losses(Learner(level), block, level.manifest.reference["learning_rate"])
        assert reference.worst(losses, level.manifest) <= reference.TOLERANCE
        assert level.manifest.parameters < program.manifest.parameters
        assert level.manifest.contract == program.manifest.contract
    assert widths.narrow(drawn("normalised").model, 0.5)[1] == bundle.program(found.levels["0.5"]).manifest.cuts


def test_a_manifest_says_what_a_device_has_to_know() -> None:
    manifest = compiled("convolutions")[1].manifest
    assert manifest.parameters == sum(tensor.size for tensor in manifest.layout.tensors) == 216
    # The first convolution alone: 10 x 8 places, 4 kernels of 3 x 3 x 2, a product and a sum for each element.
    assert manifest.flops > 2 * 10 * 8 * 4 * 18
    assert f"tensorflow {tf.__version__}" in manifest.made_with
    assert manifest.metrics == ("loss", "correct")
    assert manifest.program_bytes == len(compiled("convolutions")[1].tflite)
    assert manifest.sha256 == codec.digest(compiled("convolutions")[1].tflite)


def test_int8_inference_is_small_and_close() -> None:
    found, program = compiled("quantised")
    x = drafts.quantised().representative
    assert x is not None
    exact, rough = infer(found.inference["float"], x), infer(found.inference["int8"], x)
    assert np.abs(exact - rough).max() < 0.1 * np.abs(exact).max()
    assert "QUANTIZE" in flatbuffer.operators(found.inference["int8"])
    assert program.manifest.task == "tried"


NOWHERE = "is an operator that no stock TFLite runtime can train"
REFUSED: dict[str, tuple[Callable[[], Draft], str]] = {
    "inverting": (drafts.inverting, f"MatrixInverse in layer inverse {NOWHERE}: learn a Dense projection in its place"),
    "decomposing": (drafts.decomposing, f"Svd in layer decompose {NOWHERE}: compute it where the data is made"),
    "looping": (drafts.looping, f"While in layer loop {NOWHERE}: write the loop over a fixed number of steps"),
    "wordy": (drafts.wordy, "a metric cannot be called 'sparse_categorical_crossentropy': give {name: function}"),
    "ringing": (drafts.ringing, f"BesselJ0 in layer bessel {NOWHERE}: use a layer that does without it"),
    "counting": (drafts.counting, "counter.count is int32; a program keeps float32 only"),
    "stateful": (drafts.stateful, "steps keeps its state from batch to batch.*stateful=False"),
    "misfit": (drafts.misfit, r"the model takes \(3,\), the contract has x_shape \(4,\)"),
    "twofold": (drafts.twofold, "the model must have one input"),
    "forked": (drafts.forked, "the model must have one output"),
    "idling": (drafts.idling, "the loss does not depend on spare.idle: freeze its layer"),
    "twins": (drafts.twins, "two variables are called twin.scale: give them different names"),
    "straying": (drafts.straying, "the optimiser Adagrad does not run on devices: use SGD, Adam or AdamW"),
    "unknown_loss": (drafts.unknown_loss, "Keras knows no loss 'mean_sqared_error'"),
    "unknown_metric": (drafts.unknown_metric, "there is no metric 'acuracy'"),
    "featureless": (drafts.featureless, "there is no layer 'nowhere' whose output could be its features"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_is_refused_in_one_sentence(name: str) -> None:
    make, sentence = REFUSED[name]
    with pytest.raises(UserFault, match=sentence) as refused:
        compiler.build(make())
    assert "\n" not in str(refused.value)


def test_a_program_that_trains_otherwise_than_tensorflow_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    other = reference.Reference(formula=reference.FORMULA, learning_rate=0.1, losses=[1.0] * 10, spread=[0.0] * 10)
    monkeypatch.setattr(step, "reference_losses", lambda draft, held, rate: other)
    with pytest.raises(UserFault, match="does not train as TensorFlow does"):
        compiler.build(drafts.draft((4,), []))
