"""The numeric side of one open round."""

import numpy as np
import pytest

from folkmoot import parts
from folkmoot.errors import MisuseFault, StoreFault, UserFault
from folkmoot.hop.ports import Late
from folkmoot.serve.sums import Sums
from folkmoot.wire import codec, partial
from folkmoot.wire.layout import Layout, Tensor
from folkmoot.wire.messages import Answer, Ask
from folkmoot.wire.partial import Group, Leaf, Partial
from tests.kit.asks import ask

LAYOUT = Layout((Tensor("w", (4,)),))


def answered(question: Ask, value: float, device: str, weight: int = 3) -> tuple[Answer, bytes]:
    """Gives an answer of a device, whose every weight has moved by `value`."""
    group = Group(weight, codec.FLOAT32, np.full(4, value, "<f4").tobytes())
    data = partial.dump(Partial(groups={"main": group}, leaves=(Leaf(device),)))
    manifest = Answer(
        base=question.base, weights=question.weights, program=question.program, payload=codec.digest(data), size=len(data)
    )
    return manifest, data


def test_what_is_judged_well_adds_up_and_judging_adds_nothing() -> None:
    question = ask(scale=4)
    sums = Sums(question, LAYOUT)
    for device, value in (("d1", 0.5), ("d2", 1.0)):
        judged = sums.judge(device, *answered(question, value, device), {device})
        assert (judged.leaves, judged.rejection) == ((device,), "")
        before = sums.partial()
        sums.judge(device, *answered(question, value, device), {device})
        assert sums.partial() == before
        sums.add(device, judged.content)
    group = sums.partial().groups["main"]
    assert (group.weight, group.tag) == (6, codec.INT8)
    assert np.frombuffer(group.data, np.int8).tolist() == [3 * 8 + 3 * 16] * 4


def test_what_is_taken_out_was_never_there() -> None:
    question = ask(scale=4)
    sums, others = Sums(question, LAYOUT), Sums(question, LAYOUT)
    for device, value in (("d1", 0.3), ("d2", -0.7), ("d3", 0.01)):
        for each in (sums, others) if device != "d2" else (sums,):
            each.add(device, each.judge(device, *answered(question, value, device), {device}).content)
    sums.remove("d2", *answered(question, -0.7, "d2"))
    assert partial.dump(sums.partial()) == partial.dump(others.partial())
    with pytest.raises(StoreFault, match="non_finite"):
        sums.remove("d1", *answered(question, float("nan"), "d1"))


def test_a_rejection_says_why() -> None:
    question = ask()
    judged = Sums(question, LAYOUT).judge("d1", *answered(question, float("nan"), "d1"), {"d1"})
    assert (judged.rejection, judged.content) == ("non_finite", None)


def test_a_device_cannot_answer_for_another() -> None:
    question = ask()
    assert Sums(question, LAYOUT).judge("d1", *answered(question, 1.0, "d2"), {"d1"}).rejection == "foreign_leaf"


@pytest.mark.parametrize("lacking", [{"strategy": "of_tomorrow"}, {"ring": "prime"}, {"options": {"speed": 3}}])
def test_an_ask_that_this_node_cannot_add_up_is_refused_at_once(lacking: dict[str, object]) -> None:
    with pytest.raises(UserFault):
        Sums(ask(**lacking), LAYOUT)


def test_an_answer_to_an_earlier_ask_is_held_against_that_and_counts_less() -> None:
    question, earlier = ask(scale=4, base=7), ask(base=5, weights=b"e" * 32)
    late = Late(5, b"e" * 32, factor=256)
    sums = Sums(question, LAYOUT)
    manifest, data = answered(earlier, 0.5, "d1", weight=4)
    assert sums.judge("d1", manifest, data, {"d1"}).rejection == "stale_base"
    assert sums.judge("d1", *answered(question, 0.5, "d1"), {"d1"}, late).rejection == "stale_base"
    judged = sums.judge("d1", manifest, data, {"d1"}, late)
    assert (judged.leaves, judged.rejection) == (("d1",), "")
    sums.add("d1", judged.content)
    own = sums.judge("d1", *answered(question, 1.0, "d1", weight=2), {"d1"})
    sums.add("d1", own.content)
    group = sums.partial().groups["main"]
    assert parts.view(group).tolist() == [4 * 8 // 4 + 2 * 16] * 4
    assert group.weight == 6
    assert sums.partial().merged == ("d1",)
    assert sums.belated == {manifest.payload: (Leaf("d1"),)}


def test_an_answer_to_an_earlier_ask_brings_no_measurement_of_its_base_but_its_bytes() -> None:
    earlier = ask(weights=b"e" * 32)
    content = partial.load(answered(earlier, 0.5, "d1")[1], limit=1_000)
    told = {"eval_count": 5, "eval_members": 1, "train_count": 9, "bytes_up": 70, "bytes_down": 30}
    data = partial.dump(Partial(groups=content.groups, leaves=content.leaves, metrics=told))
    manifest = Answer(base=0, weights=b"e" * 32, program=b"p" * 32, payload=codec.digest(data), size=len(data))
    sums = Sums(ask(), LAYOUT)
    judged = sums.judge("d1", manifest, data, {"d1"}, Late(0, b"e" * 32, 1024))
    sums.add("d1", judged.content)
    assert sums.partial().metrics == {"bytes_down": 30, "bytes_up": 70}


def test_an_answer_to_an_earlier_ask_does_not_take_the_room_of_this_round() -> None:
    earlier = ask(weights=b"e" * 32)
    sums = Sums(ask(total=10), LAYOUT)
    late = Late(0, b"e" * 32, 1024, reserved=8)
    assert sums.judge("d1", *answered(earlier, 0.5, "d1", weight=3), {"d1"}, late).rejection == "full"
    assert sums.judge("d1", *answered(earlier, 0.5, "d1", weight=2), {"d1"}, late).rejection == ""


def test_a_belated_answer_that_is_taken_out_was_never_there() -> None:
    question, earlier = ask(scale=4, base=7), ask(base=5, weights=b"e" * 32)
    late = Late(5, b"e" * 32, factor=724)
    sums = Sums(question, LAYOUT)
    sums.add("d1", sums.judge("d1", *answered(question, 1.0, "d1", weight=2), {"d1"}).content)
    alone = sums.partial()
    manifest, data = answered(earlier, 0.3, "d1", weight=4)
    sums.add("d1", sums.judge("d1", manifest, data, {"d1"}, late).content)
    assert sums.partial() != alone
    sums.remove("d1", manifest, data, late)
    assert sums.partial() == alone
    assert sums.belated == {}
    with pytest.raises(MisuseFault, match="not blended in"):
        sums.remove("d1", manifest, data, late)
