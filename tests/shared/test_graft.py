import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot import arrays, graft
from folkmoot.errors import PeerFault, UserFault
from folkmoot.wire.bundle import Graft
from folkmoot.wire.layout import Layout, Role, Tensor


def layout(*tensors: tuple[str, tuple[int, ...], Role]) -> Layout:
    return Layout(tensors=tuple(Tensor(name=name, shape=shape, role=role) for name, shape, role in tensors))


LAYOUT = layout(
    ("bias", (3,), "trained"), ("kernel", (2, 5, 1, 3), "trained"), ("mean", (3,), "averaged"), ("once", (4,), "frozen")
)


def block(seed: int, of: Layout = LAYOUT) -> bytes:
    rng = np.random.default_rng(seed)
    return arrays.pack(of, {tensor.name: rng.standard_normal(tensor.shape).astype(np.float32) for tensor in of.tensors})


def program(weights: bytes, of: Layout = LAYOUT) -> bytes:
    """Gives what a converter might write: the tensors in another order, kernels with their axes exchanged."""
    tensors = arrays.unpack(of, weights)
    kernel = np.transpose(tensors["kernel"], (3, 0, 1, 2)).tobytes()
    return (
        b"TFL3" + kernel + bytes(7) + tensors["mean"].tobytes() + b"ops" + tensors["bias"].tobytes() + tensors["once"].tobytes()
    )


def test_every_shared_tensor_is_found_with_the_order_of_its_axes() -> None:
    weights = block(1)
    traced = graft.trace(program(weights), LAYOUT, weights)
    assert {place.tensor for place in traced} == {"bias", "kernel", "mean"}
    assert next(place for place in traced if place.tensor == "kernel").offset == 4


@given(st.integers(2, 1000))
def test_the_program_with_other_weights_is_the_one_that_would_have_been_converted_from_them(seed: int) -> None:
    traced = graft.trace(program(block(1)), LAYOUT, block(1))
    grown = graft.apply(program(block(1)), traced, LAYOUT, block(seed))
    once = arrays.unpack(LAYOUT, block(1))["once"]
    expected = arrays.pack(LAYOUT, {**arrays.unpack(LAYOUT, block(seed)), "once": once})
    assert grown == program(expected)  # frozen tensors stay


def test_a_tensor_that_the_program_holds_twice_is_replaced_twice() -> None:
    weights = block(1)
    twice = program(weights) + arrays.unpack(LAYOUT, weights)["bias"].tobytes()
    grown = graft.apply(twice, graft.trace(twice, LAYOUT, weights), LAYOUT, block(2))
    assert grown.count(arrays.unpack(LAYOUT, block(2))["bias"].tobytes()) == 2


def test_a_folded_tensor_is_refused_by_its_name() -> None:
    with pytest.raises(UserFault, match="does not hold kernel as it is: convert it without folding"):
        graft.trace(b"TFL3" + arrays.unpack(LAYOUT, block(1))["bias"].tobytes(), LAYOUT, block(1))


def test_tensors_alike_are_refused_because_nobody_can_tell_them_apart() -> None:
    alike = layout(("a", (3,), "trained"), ("b", (3,), "trained"))
    with pytest.raises(UserFault, match="a and b have the same contents"):
        graft.trace(bytes(64), alike, bytes(24))


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        ((), "no place for bias, kernel, mean"),
        ((Graft("bias", 10**6, (0,)),), "bias would end behind"),
        ((Graft("bias", 0, (0,)),) * 40, "more bytes than"),
        ((Graft("bias", 0, (1,)),), r"a place for 'bias' with axes \(1,\)"),
        ((Graft("once", 0, (0,)),), "a place for 'once'"),
        ((Graft("other", 0, ()),), "a place for 'other'"),
    ],
)
def test_a_graft_that_does_not_fit_is_a_fault_of_the_bundle(places: tuple[Graft, ...], sentence: str) -> None:
    rest = tuple(Graft(name, 0, tuple(range(n))) for name, n in (("bias", 1), ("kernel", 4), ("mean", 1)))
    with pytest.raises(PeerFault, match=sentence):
        graft.apply(program(block(1)), places + rest if places else (), LAYOUT, block(2))


def test_weights_of_another_layout_are_a_fault() -> None:
    with pytest.raises(PeerFault, match="layout"):
        graft.apply(b"", (), LAYOUT, b"short")
