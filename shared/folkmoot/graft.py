"""Trained weights put into an inference program, without TensorFlow: a `.tflite` keeps each weight as plain bytes.

The converter stores a kernel with its axes in another order (a dense kernel (in, out) as (out, in), a convolution's HWIO as
OHWI), drops no bytes of it and adds none. So a tensor is found by its contents, once, when the bundle is authored:

    traced = graft.trace(tflite, layout, distinct)     # converted with random weights, no two tensors alike
    bundle = Bundle(..., inference={"float": graft.apply(tflite, traced, layout, initial)}, grafts={"float": traced})

and `apply` then gives the program of any model version. A converter that folds weights into one another (batch norm into the
convolution before it) leaves nothing to find: such a program is refused when it is traced, by the name of the tensor.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations

from folkmoot import arrays
from folkmoot.arrays import Array
from folkmoot.errors import PeerFault, UserFault
from folkmoot.wire.bundle import Graft
from folkmoot.wire.layout import Layout

AXES = 5  # of the largest kernel that a converter turns (a 3-D convolution); 120 orders to look for


def trace(tflite: bytes, layout: Layout, block: bytes) -> tuple[Graft, ...]:
    """Gives every place where `tflite` keeps a shared tensor of `block`, the weights that it was converted with.

    Raises UserFault where a tensor is not in it as it is, or has the same contents as another one (biases that are all
    zero): then nobody can tell them apart, so convert with random weights first.
    """
    found: list[Graft] = []
    holders: dict[int, str] = {}
    for name, array in _shared(layout, block):
        places = _places(tflite, name, array)
        if not places:
            raise UserFault(f"the inference program does not hold {name} as it is: convert it without folding weights")
        for place in places:
            if place.offset in holders:
                both = f"{holders[place.offset]} and {name}"
                raise UserFault(f"{both} have the same contents: convert the inference program with random weights, then trace")
            holders[place.offset] = name
        found += places
    return tuple(found)


def apply(tflite: bytes, grafts: Sequence[Graft], layout: Layout, block: bytes) -> bytes:
    """Gives the program `tflite` with the weights `block` in the places that `grafts` says.

    Raises PeerFault: "layout" where the block is not the layout's, "malformed" where a graft points outside the program, at a
    tensor that the layout does not share, or where a shared tensor has no place.
    """
    shared = dict(_shared(layout, block))
    if sum(shared[place.tensor].nbytes for place in grafts if place.tensor in shared) > len(tflite):
        raise PeerFault("malformed", "the weights' places take more bytes than the inference program has")
    if missing := shared.keys() - {place.tensor for place in grafts}:
        raise PeerFault("malformed", f"no place for {', '.join(sorted(missing))} in the inference program")
    grown = bytearray(tflite)
    for place in grafts:
        array = shared.get(place.tensor)
        if array is None or sorted(place.axes) != list(range(array.ndim)):
            raise PeerFault("malformed", f"a place for {place.tensor!r} with axes {place.axes}, which the layout does not have")
        if place.offset + array.nbytes > len(tflite):
            raise PeerFault("malformed", f"{place.tensor} would end behind the inference program")
        grown[place.offset : place.offset + array.nbytes] = array.transpose(place.axes).tobytes()
    return bytes(grown)


def _shared(layout: Layout, block: bytes) -> Iterator[tuple[str, Array]]:
    """Gives what training can change: frozen tensors are in the program already, local ones stay on their device."""
    tensors = arrays.unpack(layout, block)
    return ((tensor.name, tensors[tensor.name]) for tensor in layout.shared)


def _places(tflite: bytes, name: str, array: Array) -> list[Graft]:
    """Gives where the contents of `array` lie, in the first order of its axes that is found; a program may hold it twice."""
    straight = tuple(range(array.ndim))
    for axes in permutations(straight) if array.ndim <= AXES else [straight]:
        wanted = array.transpose(axes).tobytes()
        at = tflite.find(wanted)
        if at < 0:
            continue
        places = []
        while at >= 0:
            places.append(Graft(name, at, axes))
            at = tflite.find(wanted, at + len(wanted))
        return places
    return []
