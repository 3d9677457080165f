"""The payload of an answer: groups of numbers with their weights, the leaves that they are of, and exact metric sums.

A device sends float32 deltas of one leaf; a gateway sends integers: sums of `weight * delta` in multiples of 2^-scale.
Both have the same form: the typed-array tag (RFC 8746) tells which one it is. A group without a tag is a delta that the
transform of the Ask has encoded (folkmoot.transform): what its bytes mean is not said here.
"""

from typing import Annotated, Any

import cbor2
import msgspec
from msgspec import Meta

from folkmoot.errors import PeerFault
from folkmoot.wire import codec
from folkmoot.wire.layout import GROUPS
from folkmoot.wire.messages import Name, Note, Word

# Bytes per element of each typed array.
WIDTHS = {codec.FLOAT32: 4, codec.INT8: 1, codec.INT16: 2, codec.INT32: 4, codec.INT64: 8}
ENCODED = 0  # in the place of a tag: bytes of a transform, still to be decoded (folkmoot.parts.decoded)


class Group(msgspec.Struct, frozen=True):
    """One flat array with the weight that its tensors carry together."""

    weight: int
    tag: int  # FLOAT32: a delta, still to be lifted; INT*: a sum that is lifted; ENCODED
    data: bytes | memoryview  # little-endian

    @property
    def size(self) -> int:
        """Number of elements; of an encoded group nobody knows it."""
        return len(self.data) // WIDTHS[self.tag]


class Leaf(msgspec.Struct, frozen=True, array_like=True):
    """What became of one device below the sender."""

    device: Name
    fate: Annotated[str, Meta(pattern=r"^[a-z_:]{0,64}\Z")] = ""  # "": its update is in the sums; else why not
    note: Note = b""  # from the device to the cloud, opaque in between


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's content."""

    groups: dict[str, Group]
    leaves: tuple[Leaf, ...]  # sorted by device, no device twice
    metrics: dict[str, int] = {}  # exact sums; names that end in _u20 are in units of 2^-20

    @property
    def merged(self) -> tuple[str, ...]:
        """The devices whose updates are in the sums."""
        return tuple([leaf.device for leaf in self.leaves if leaf.fate == ""])


class _Form(msgspec.Struct, frozen=True):
    leaves: tuple[Leaf, ...]
    groups: Annotated[dict[Word, tuple[Any, Any]], Meta(max_length=GROUPS)]
    metrics: Annotated[dict[Word, Annotated[int, Meta(ge=-(1 << 62), le=1 << 62)]], Meta(max_length=codec.MAP)]


def dump(partial: Partial) -> bytes:
    """Gives the payload's bytes: the same partial always gives the same bytes."""
    return cbor2.dumps(  # in order as it is: to have cbor2 see to that takes twice as long
        {
            "groups": {name: [it.weight, _array(it)] for name, it in sorted(partial.groups.items(), key=_rank)},
            "leaves": [[leaf.device, leaf.fate, leaf.note] for leaf in partial.leaves],
            "metrics": dict(sorted(partial.metrics.items(), key=_rank)),
        }
    )


def _rank(entry: tuple[str, object]) -> tuple[int, bytes]:
    return codec.rank(entry[0])


def _array(group: Group) -> Any:
    return bytes(group.data) if group.tag == ENCODED else cbor2.CBORTag(group.tag, bytes(group.data))


def load(data: bytes | memoryview, *, limit: int) -> Partial:
    """Gives the partial that `data` encodes; large groups are views of it, not copies.

    Raises PeerFault: "oversized", "malformed", "bad_weight", "dtype", or "duplicate_leaf" where a device stands in it twice.
    """
    apart: list[memoryview] = []
    plain = codec.parse(data, limit=limit, apart=apart)
    form = codec.convert(plain, _Form)
    codec.whole(plain["leaves"], Leaf)
    names = [leaf.device for leaf in form.leaves]
    if names != sorted(names):
        raise PeerFault("malformed", "leaves must be sorted by device")
    if len(set(names)) != len(names):
        raise PeerFault("duplicate_leaf", "a device stands in one partial twice")
    groups = {name: _group(name, weight, array, apart) for name, (weight, array) in form.groups.items()}
    return Partial(groups=groups, leaves=form.leaves, metrics=dict(form.metrics))


def _group(name: str, weight: object, array: Any, apart: list[memoryview]) -> Group:
    if type(weight) is not int:
        raise PeerFault("bad_weight", f"group {name} weighs {weight!r}; a weight is a whole number")
    tagged = isinstance(array, cbor2.CBORTag) and array.tag != codec.APART
    tag, content = (array.tag, array.value) if tagged else (ENCODED, array)
    if isinstance(content, cbor2.CBORTag) and content.tag == codec.APART:
        content = apart[content.value]
    if not isinstance(content, bytes | memoryview):
        raise PeerFault("malformed", f"group {name} is neither a typed array nor bytes")
    if tag == ENCODED:
        return Group(weight=weight, tag=tag, data=content)
    if tag not in WIDTHS:
        raise PeerFault("dtype", f"group {name} has tag {tag}; a group is float32 or signed integers, little-endian")
    if len(content) % WIDTHS[tag]:
        raise PeerFault("malformed", f"group {name} has {len(content)} bytes, no whole number of elements")
    return Group(weight=weight, tag=tag, data=content)
