import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot import arrays
from folkmoot.errors import PeerFault
from folkmoot.wire import codec
from folkmoot.wire.layout import GROUPS, WIDTHS, Layout, Tensor
from tests.kit.bodies import WORDS
from tests.kit.updates import LAYOUT, weights

tensors = st.builds(
    Tensor,
    name=st.text(min_size=1, max_size=20),
    shape=st.lists(st.integers(1, 4), max_size=3).map(tuple),
    dtype=st.sampled_from(sorted(WIDTHS)),
    role=st.sampled_from(["trained", "averaged", "local", "frozen"]),
    group=WORDS,
)
layouts = st.lists(tensors, max_size=8, unique_by=lambda tensor: tensor.name).map(
    lambda found: Layout(tuple(sorted(found, key=lambda tensor: tensor.name)))
)


@given(layouts)
def test_a_layout_comes_out_as_it_went_in(layout: Layout) -> None:
    assert codec.load(codec.dump(layout), Layout, limit=1 << 20) == layout


@given(layouts, st.integers(0, 99))
def test_a_block_is_what_was_packed(layout: Layout, seed: int) -> None:
    model = weights(seed, layout=layout)
    block = arrays.pack(layout, model)
    assert len(block) == layout.nbytes
    found = arrays.unpack(layout, block)
    assert arrays.pack(layout, found) == block
    assert {name: (array.shape, array.dtype.name) for name, array in found.items()} == {
        tensor.name: (tensor.shape, tensor.dtype) for tensor in layout.tensors
    }


@given(layouts)
def test_groups_hold_each_shared_tensor_once(layout: Layout) -> None:
    grouped = [tensor for group in layout.groups.values() for tensor in group]
    assert sorted(grouped, key=lambda tensor: tensor.name) == list(layout.shared)
    assert sum(layout.sizes().values()) == sum(tensor.size for tensor in layout.shared)
    assert list(layout.groups) == sorted(layout.groups)


@pytest.mark.parametrize(
    "tensors",
    [
        (Tensor("b", (1,)), Tensor("a", (1,))),
        (Tensor("a", (1,)), Tensor("a", (2,))),
        (Tensor("a", (1,), dtype="float64"),),
        (Tensor("a", (1,), dtype="object"),),
        tuple(Tensor(f"{i:02}", (1,), group=f"g{i}") for i in range(GROUPS + 1)),
    ],
    ids=["unsorted", "a name twice", "a dtype that is not there", "objects", "too many groups"],
)
def test_a_layout_that_cannot_be_is_refused(tensors: tuple[Tensor, ...]) -> None:
    with pytest.raises(PeerFault) as fault:
        Layout(tensors)
    assert fault.value.reason == "layout"
    form = {"tensors": [msgspec.to_builtins(tensor) for tensor in tensors]}
    with pytest.raises(PeerFault) as fault:
        codec.load(codec.dump(form), Layout, limit=1 << 20)
    assert fault.value.reason == "layout"


@pytest.mark.parametrize(
    "change",
    [{"shape": [0]}, {"shape": [-1]}, {"shape": [1 << 29]}, {"name": ""}, {"group": "No"}, {"role": "best"}, {"more": 1}],
)
def test_a_tensor_that_cannot_be_is_malformed(change: dict[str, object]) -> None:
    with pytest.raises(PeerFault) as fault:
        codec.load(codec.dump({"tensors": [{"name": "a", "shape": [1]} | change]}), Layout, limit=1 << 20)
    assert fault.value.reason == "malformed"


@pytest.mark.parametrize("block", [b"", bytes(LAYOUT.nbytes - 1), bytes(LAYOUT.nbytes + 1)])
def test_a_block_of_another_size_is_refused(block: bytes) -> None:
    with pytest.raises(PeerFault, match="layout"):
        arrays.unpack(LAYOUT, block)


def test_weights_of_another_form_are_not_packed() -> None:
    good = weights()
    for wrong in (
        {name: array for name, array in good.items() if name != "output"},
        good | {"more": good["output"]},
        good | {"output": good["output"].ravel()},
        good | {"output": good["output"].astype("float64")},
    ):
        with pytest.raises(PeerFault, match="layout"):
            arrays.pack(LAYOUT, wrong)


def test_weights_in_another_byte_order_pack_to_the_same_bytes() -> None:
    good = weights()
    swapped = {name: array.astype(array.dtype.newbyteorder(">")) for name, array in good.items()}
    assert arrays.pack(LAYOUT, swapped) == arrays.pack(LAYOUT, good)
