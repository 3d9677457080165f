from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot import arrays, cuts
from folkmoot.errors import PeerFault
from folkmoot.wire.bundle import Cut
from folkmoot.wire.layout import Layout, Tensor

FULL = Layout(
    (Tensor("bias", (6,)), Tensor("flat", (8, 6)), Tensor("once", (), role="averaged"), Tensor("steps", (3, 4), "int32"))
)
# The first half of 6 channels; of 8 that were flattened, every other pair; a scalar and the rows of `steps` as they are.
CUTS: dict[str, Cut] = {
    "bias": (((0, 3),),),
    "flat": (((0, 2), (4, 6)), ((0, 3),)),
    "once": (),
    "steps": (((0, 3),), ((1, 4),)),
}
LEVEL = Layout(
    (Tensor("bias", (3,)), Tensor("flat", (4, 3)), Tensor("once", (), role="averaged"), Tensor("steps", (3, 3), "int32"))
)


def weights(layout: Layout, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {tensor.name: (100 * rng.standard_normal(tensor.shape)).astype(tensor.dtype) for tensor in layout.tensors}


def zeros(layout: Layout = FULL) -> dict[str, np.ndarray]:
    return {tensor.name: np.zeros(tensor.shape) for tensor in layout.tensors}


@st.composite
def levels(draw: st.DrawFn) -> tuple[Layout, Layout, dict[str, Cut], dict[str, tuple[list[int], ...]]]:
    """Gives a full layout, a level of it, its cuts, and the same as indices."""
    shapes = draw(st.lists(st.lists(st.integers(1, 5), max_size=4), min_size=1, max_size=4))
    kept: dict[str, tuple[list[int], ...]] = {}
    for i, shape in enumerate(shapes):
        axes = [draw(st.sets(st.integers(0, size - 1), min_size=1)) for size in shape]
        kept[f"t{i}"] = tuple(sorted(axis) for axis in axes)
    full = Layout(tuple(Tensor(f"t{i}", tuple(shape)) for i, shape in enumerate(shapes)))
    level = Layout(tuple(Tensor(name, tuple(len(axis) for axis in axes)) for name, axes in kept.items()))
    return full, level, {name: tuple(cuts.runs(np.array(axis)) for axis in axes) for name, axes in kept.items()}, kept


@given(st.sets(st.integers(0, 40)))
def test_runs_are_the_fewest_that_give_the_indices(indices: set[int]) -> None:
    found = cuts.runs(np.array(sorted(indices), np.intp))
    assert [i for run in found for i in range(*run)] == sorted(indices)
    assert all(stop < start for (_, stop), (start, _) in pairwise(found))


@given(levels(), st.integers(0, 1000))
def test_a_level_has_the_elements_of_the_full_block_that_its_cuts_keep(
    case: tuple[Layout, Layout, dict[str, Cut], dict[str, tuple[list[int], ...]]], seed: int
) -> None:
    full, level, cut, kept = case
    values = weights(full, seed)
    found = arrays.unpack(level, cuts.narrow(arrays.pack(full, values), full, level, cut))
    for name, axes in kept.items():
        assert np.array_equal(found[name], values[name][np.ix_(*axes)] if axes else values[name])


@given(levels(), st.integers(0, 1000))
def test_what_is_spread_lies_where_it_was_taken_from_and_nowhere_else(
    case: tuple[Layout, Layout, dict[str, Cut], dict[str, tuple[list[int], ...]]], seed: int
) -> None:
    full, level, cut, _ = case
    values = weights(full, seed)
    part = arrays.unpack(level, cuts.narrow(arrays.pack(full, values), full, level, cut))
    into, having = zeros(full), zeros(full)
    cuts.spread(part, full, cut, into)
    cuts.spread({name: np.broadcast_to(1.0, array.shape) for name, array in part.items()}, full, cut, having)
    for name, array in values.items():
        assert np.array_equal(into[name], np.where(having[name] > 0, array, 0))
        assert having[name].sum() == part[name].size


def test_every_element_is_the_mean_over_the_levels_that_have_it() -> None:
    """The merge of HeteroFL, section 4 of its paper, with the full model as one of the levels."""
    whole = {tensor.name: tuple(((0, size),) for size in tensor.shape) for tensor in FULL.tensors}
    old, wide, slim = weights(FULL, 1), weights(FULL, 2), weights(LEVEL, 3)
    sums, counts = zeros(), zeros()
    for values, cut, weight in ((wide, whole, 2.0), (slim, CUTS, 3.0)):
        cuts.spread({name: weight * array for name, array in values.items()}, FULL, cut, sums)
        cuts.spread({name: np.broadcast_to(weight, array.shape) for name, array in values.items()}, FULL, cut, counts)
    merged = {name: np.where(counts[name] > 0, sums[name] / np.maximum(counts[name], 1), old[name]) for name in old}
    assert merged["flat"][4, 2] == pytest.approx((2 * wide["flat"][4, 2] + 3 * slim["flat"][2, 2]) / 5)
    assert merged["flat"][2, 2] == wide["flat"][2, 2]
    assert merged["steps"][1, 3] == pytest.approx((2 * wide["steps"][1, 3] + 3 * slim["steps"][1, 2]) / 5)
    assert merged["once"] == pytest.approx((2 * wide["once"] + 3 * slim["once"]) / 5)


def test_whole_numbers_stay_whole() -> None:
    into = {"flat": np.zeros((8, 6), np.int64)}
    for _ in range(3):
        cuts.spread({"flat": np.full((4, 3), (1 << 53) + 1)}, FULL, CUTS, into)
    assert into["flat"].max() == 3 * ((1 << 53) + 1)
    assert into["flat"].sum() == 12 * into["flat"].max()


def test_some_tensors_of_a_level_may_be_spread_alone() -> None:
    into = zeros()
    cuts.spread({"bias": np.ones(3)}, FULL, CUTS, into)
    assert into["bias"].tolist() == [1, 1, 1, 0, 0, 0]
    assert not into["flat"].any()


WRONG: dict[str, tuple[dict[str, Cut], str]] = {
    "a tensor without a cut": ({"bias": CUTS["bias"]}, "flat is no tensor of the full model, or is not cut"),
    "an axis too few": (CUTS | {"flat": (((0, 4),),)}, r"kept of flat does not have the shape \(4, 3\)"),
    "another size": (CUTS | {"bias": (((0, 4),),)}, r"kept of bias does not have the shape \(3,\)"),
    "beyond the end": (CUTS | {"bias": (((4, 7),),)}, "kept of bias lies outside of it"),
    "before the start": (CUTS | {"bias": (((-3, 0),),)}, "kept of bias lies outside of it"),
    "out of order": (CUTS | {"flat": (((4, 6), (0, 2)), ((0, 3),))}, "kept of flat lies outside of it, or is out of order"),
    "one index twice": (CUTS | {"flat": (((0, 2), (1, 3)), ((0, 3),))}, "kept of flat lies outside of it, or is out of order"),
    "backwards": (CUTS | {"bias": (((0, 4), (4, 3)),)}, "kept of bias lies outside of it, or is out of order"),
}


@pytest.mark.parametrize("why", WRONG)
def test_cuts_that_do_not_fit_change_nothing(why: str) -> None:
    wrong, sentence = WRONG[why]
    with pytest.raises(PeerFault, match=sentence) as fault:
        cuts.narrow(arrays.pack(FULL, weights(FULL)), FULL, LEVEL, wrong)
    assert fault.value.reason == "layout"
    into = zeros()
    with pytest.raises(PeerFault, match=sentence):
        cuts.spread(weights(LEVEL), FULL, wrong, into)
    assert not any(array.any() for array in into.values())


def test_a_tensor_that_keeps_nothing_does_not_fit() -> None:
    with pytest.raises(PeerFault, match="bias lies outside of it"):
        cuts.spread({"bias": np.zeros(0)}, FULL, {"bias": ((),)}, zeros())


def test_a_block_of_another_layout_does_not_fit() -> None:
    with pytest.raises(PeerFault, match="the layout has"):
        cuts.narrow(bytes(8), FULL, LEVEL, CUTS)


def test_a_level_with_other_tensors_or_dtypes_does_not_fit() -> None:
    block = arrays.pack(FULL, weights(FULL))
    with pytest.raises(PeerFault, match="other is no tensor of the full model"):
        cuts.narrow(block, FULL, Layout((Tensor("other", (3,)),)), CUTS)
    with pytest.raises(PeerFault, match="bias is float32"):
        cuts.narrow(block, FULL, Layout((Tensor("bias", (3,), "float16"),)), CUTS)


@pytest.mark.parametrize("into", [{"bias": np.zeros(6)}, {"bias": np.zeros(6), "flat": np.zeros((6, 8))}])
def test_there_must_be_full_tensors_to_add_to(into: dict[str, np.ndarray]) -> None:
    with pytest.raises(PeerFault, match=r"there is no flat of shape \(8, 6\) to add to"):
        cuts.spread({"bias": np.ones(3), "flat": np.ones((4, 3))}, FULL, CUTS, into)
    assert not into["bias"].any()
