import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot import parts
from folkmoot.errors import MisuseFault, PeerFault, UserFault
from folkmoot.parts import EXACT, Fold
from folkmoot.wire import codec
from folkmoot.wire.layout import Layout, Tensor
from folkmoot.wire.partial import Group, Leaf, Partial
from tests.kit.updates import LAYOUT, SCALE, merged, update

SIZES = LAYOUT.sizes()
finite = st.floats(-64, 64, width=32)


def test_the_defaults_of_an_ask_hold_exactly() -> None:
    parts.check_scale(22, 64.0, 1 << 25)


@pytest.mark.parametrize("change", [{"scale": 23}, {"bound": 64.1}, {"total": (1 << 25) + 1}])
def test_numbers_that_do_not_hold_are_refused_with_numbers_that_would(change: dict[str, float]) -> None:
    chosen = {"scale": 22, "bound": 64.0, "total": 1 << 25} | change
    with pytest.raises(UserFault) as fault:
        parts.check_scale(**chosen)
    words = str(fault.value).split("choose ")[1].split(", or ")
    advised = {words[0].split()[1]: words[0], **{word.split()[1]: word for word in words}}
    assert advised.keys() == {"scale", "total", "bound"}
    for name, sentence in advised.items():
        value = float(sentence.split()[-1])
        parts.check_scale(**chosen | {name: value if name == "bound" else int(value)})


def test_no_advice_is_given_where_no_value_would_help() -> None:
    with pytest.raises(UserFault, match=r"choose a total of at most \d+$"):
        parts.check_scale(0, 1.0, EXACT + 1)


@given(st.integers(0, 52), st.floats(1e-6, 1e9), st.integers(1, EXACT), st.data())
def test_no_sum_within_a_checked_scale_leaves_the_exact_range(
    scale: int, bound: float, total: int, data: st.DataObject
) -> None:
    try:
        parts.check_scale(scale, bound, total)
    except UserFault:
        return
    weight = data.draw(st.integers(1, total))
    greatest = np.nextafter(np.float32(bound), np.float32(0)) if float(np.float32(bound)) > bound else np.float32(bound)
    lifted = int(parts.lift(np.array([greatest]), weight, scale)[0])
    assert lifted <= weight * parts.reach(scale, bound) <= EXACT


@given(st.lists(finite, min_size=1, max_size=20), st.integers(1, 1 << 29), st.integers(0, 17))
def test_lifting_is_the_exact_product_rounded_once(values: list[float], weight: int, scale: int) -> None:
    lifted = parts.lift(np.array(values, np.float32), weight, scale)
    for value, integer in zip(values, lifted, strict=True):
        assert integer == round(Fraction(value) * weight * 2**scale)  # round() of a Fraction takes ties to even
        assert math.copysign(1, integer) == 1 or integer < 0


def test_the_smallest_float_and_minus_zero_lift_to_zero() -> None:
    lifted = parts.lift(np.array([-0.0, 1e-45, -1e-45], np.float32), 1, 22)
    assert lifted.tolist() == [0, 0, 0]
    assert not np.signbit(lifted).any()


def test_big_endian_numbers_lift_to_the_same() -> None:
    values = np.linspace(-3, 3, 50, dtype=np.float32)
    assert np.array_equal(parts.lift(values.astype(">f4"), 77, 20), parts.lift(values, 77, 20))


def test_a_sum_is_the_sum_of_what_was_lifted() -> None:
    updates = [update(f"d{i}", i) for i in range(5)]
    total = merged(updates)
    for name in SIZES:
        expected = sum(
            parts.lift(np.frombuffer(each.groups[name].data, "<f4"), each.groups[name].weight, SCALE) for each in updates
        )
        assert np.array_equal(parts.view(total.groups[name]), expected)
        assert total.groups[name].weight == sum(each.groups[name].weight for each in updates)
    assert total.metrics == {name: sum(each.metrics[name] for each in updates) for name in updates[0].metrics}
    assert total.leaves == tuple(leaf for each in updates for leaf in each.leaves)


def test_an_update_of_many_chunks_is_folded_to_its_end() -> None:
    size = 3 * parts.CHUNK + 17
    values = np.random.default_rng(0).standard_normal(size).astype("<f4")
    fold = Fold({"main": size}, 20)
    fold.add(Partial(groups={"main": Group(3, codec.FLOAT32, values.tobytes())}, leaves=(Leaf("a"),)))
    again = Fold({"main": size}, 20)
    again.add(fold.partial())
    assert np.array_equal(parts.view(again.partial().groups["main"]), parts.lift(values, 3, 20))


@given(st.permutations(range(6)), st.integers(1, 5))
def test_what_is_taken_out_again_was_never_there(order: list[int], out: int) -> None:
    updates = [update(f"d{i}", i) for i in range(6)]
    fold = Fold(SIZES, SCALE)
    for i in order:
        fold.add(updates[i])
    for i in order[:out]:
        fold.retract(updates[i])
    kept = Fold(SIZES, SCALE)
    for i in sorted(order[out:]):
        kept.add(updates[i])
    assert fold.partial() == kept.partial()


def test_an_empty_fold_after_retraction_is_an_empty_fold() -> None:
    fold = Fold(SIZES, SCALE)
    fold.add(update("a", 1))
    fold.retract(update("a", 1))
    assert fold.partial() == Fold(SIZES, SCALE).partial() == Partial(groups={}, leaves=(), metrics={})


def test_taking_out_what_is_not_there_is_our_bug() -> None:
    fold = Fold(SIZES, SCALE)
    fold.add(update("a", 1))
    with pytest.raises(MisuseFault):
        fold.retract(update("b", 1))


FAULTS = {
    "the same device again": (update("a", 2), "duplicate_leaf"),
    "the same device by way of a gateway": (merged([update("a", 3), update("z", 4)]), "duplicate_leaf"),
    "a group that is missing": (Partial(groups={"main": update("b", 5).groups["main"]}, leaves=(Leaf("b"),)), "shape"),
    "one element that could be broadcast": (
        Partial(groups={name: Group(1, codec.FLOAT32, bytes(4)) for name in SIZES}, leaves=(Leaf("b"),)),
        "shape",
    ),
    "sums of nobody": (Partial(groups=update("b", 6).groups, leaves=(Leaf("b", "away"),)), "shape"),
    "names of metrics beyond what one partial may have": (
        Partial(groups={}, leaves=(Leaf("b", "late"),), metrics={f"m{i}": 1 for i in range(63)}),
        "bad_metric",
    ),
    "more weight than the round has": (update("b", 7, weight=1_000), "weight_over_cap"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_does_not_belong_changes_nothing(case: str) -> None:
    wrong, reason = FAULTS[case]
    fold = Fold(SIZES, SCALE, total=1_000)
    fold.add(update("a", 1))
    before = fold.partial()
    with pytest.raises(PeerFault) as fault:
        fold.add(wrong)
    assert fault.value.reason == reason
    assert fold.partial() == before


def test_two_words_about_one_device_are_settled_without_regard_to_their_order() -> None:
    lost, taken = Partial(groups={}, leaves=(Leaf("a", "away"),)), update("a", 1)
    others = Partial(groups={}, leaves=(Leaf("a", "late"), Leaf("b", "silent")))
    folds = [Fold(SIZES, SCALE) for _ in range(2)]
    for fold, order in zip(folds, ([lost, taken, others], [others, lost, taken]), strict=True):
        for each in order:
            fold.add(each)
    assert folds[0].partial() == folds[1].partial()
    assert [leaf.fate for leaf in folds[0].partial().leaves] == ["", "silent"]
    assert folds[0].merged == {"a"}


@pytest.mark.parametrize(
    ("value", "tag"), [(127, 72), (128, 77), (-128, 72), (-129, 77), (32768, 78), (1 << 31, 79), (-EXACT, 79)]
)
def test_integers_travel_in_the_narrowest_width_that_holds_them(value: int, tag: int) -> None:
    fold = Fold({"main": 2}, 0)
    fold.add(Partial(groups={"main": Group(1, codec.INT64, np.array([value, 0], "<i8").tobytes())}, leaves=(Leaf("a"),)))
    group = fold.partial().groups["main"]
    assert (group.tag, parts.view(group).tolist()) == (tag, [value, 0])


def test_the_mean_has_every_shared_tensor_in_its_shape() -> None:
    mean = parts.mean(merged([update("a", 1), update("b", 2)]), LAYOUT, SCALE)
    assert {name: array.shape for name, array in mean.items()} == {tensor.name: tensor.shape for tensor in LAYOUT.shared}
    assert {array.dtype for array in mean.values()} == {np.dtype(np.float64)}


def test_a_round_without_usable_updates_has_no_mean() -> None:
    with pytest.raises(PeerFault) as fault:
        parts.mean(Fold(SIZES, SCALE).partial(), LAYOUT, SCALE)
    assert fault.value.reason == "no_usable_updates"


def test_the_mean_of_what_was_never_lifted_is_our_bug() -> None:
    with pytest.raises(MisuseFault):
        parts.mean(update("a", 1), LAYOUT, SCALE)


def test_extremes_show_every_number_that_is_none() -> None:
    values = np.linspace(-2, 3, 100_000, dtype="<f4")
    assert parts.extremes(values) == (-2, 3)
    assert parts.extremes(values[:0]) == (0, 0)
    values[77_777] = np.nan
    assert all(math.isnan(value) for value in parts.extremes(values))
    assert parts.extremes(np.array([5, -(1 << 62) - 1], "<i8")) == (-(1 << 62) - 1, 5)


@given(st.lists(st.integers(-EXACT, EXACT), min_size=1, max_size=20), st.integers(1, parts.WHOLE))
def test_a_discount_is_the_exact_product_rounded_once_and_leaves_the_weight(values: list[int], factor: int) -> None:
    group = Group(7, codec.INT64, np.array(values, "<i8").tobytes())
    found = parts.discounted(group, factor, SCALE)
    assert parts.view(found).tolist() == [round(Fraction(value * factor, 1024)) for value in values]  # ties to even
    assert found.weight == 7


def test_a_device_is_lifted_before_it_is_discounted() -> None:
    (group,) = update("d1", 1, layout=Layout((Tensor("w", (5,)),))).groups.values()
    lifted = parts.lift(parts.view(group), group.weight, SCALE)
    assert parts.view(parts.discounted(group, 512, SCALE)).tolist() == [round(Fraction(int(it), 2)) for it in lifted]


def test_what_an_answer_counts_falls_with_the_versions_that_it_is_behind() -> None:
    assert [parts.staleness(behind, 0.5) for behind in (0, 1, 3, 31)] == [1024, 724, 512, 181]
    assert [parts.staleness(behind, 0.0) for behind in (0, 31)] == [1024, 1024]
    assert parts.staleness(31, 2.0) == 1  # of the most that a policy can say, something is left


def test_a_blended_answer_does_not_stand_in_the_way_of_its_devices_and_leaves_their_room() -> None:
    own, late = update("d1", 1, weight=100), merged([update("d1", 2, weight=50)])
    blend = Partial(groups=late.groups, leaves=(), metrics={})
    fold = Fold(SIZES, SCALE, total=150)
    with pytest.raises(PeerFault, match="weight_over_cap"):
        fold.check_blend(blend, reserved=101)
    fold.check_blend(blend, reserved=100)
    fold.blend(blend)
    fold.add(own)
    both = fold.partial()
    assert both.merged == ("d1",)
    for name, group in both.groups.items():
        apart = [parts.view(merged([it]).groups[name]).astype(object) for it in (own, update("d1", 2, weight=50))]
        assert parts.view(group).tolist() == (apart[0] + apart[1]).tolist()
        assert group.weight == 150
