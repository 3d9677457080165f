"""The reader of partials, through which every answer comes."""

import cbor2

from folkmoot import parts, plugins
from folkmoot.wire import codec, partial
from folkmoot.wire.partial import ENCODED, WIDTHS, Group, Leaf, Partial
from tests.fuzz.agreement import deterministic, sound
from tests.fuzz.target import Target, bounded, refusal
from tests.kit import golden
from tests.kit.updates import update

LIMIT = 65_536  # bytes
KEYS = ("groups", "leaves", "metrics")
INT8 = plugins.load("transforms", "int8")


def run(data: bytes) -> None:
    """Reads one input."""
    found: list[Partial] = []
    with bounded(len(data) if len(data) <= LIMIT else 0):
        reason = refusal(lambda: found.append(partial.load(data, limit=LIMIT)))
    assert reason in ("", "malformed", "oversized", "bad_weight", "dtype", "duplicate_leaf"), reason
    assert (len(data) > LIMIT) == (reason == "oversized")
    for value in found:
        sent, again = cbor2.loads(data), partial.dump(value)
        assert deterministic(data), data.hex()
        assert cbor2.dumps({key: sent[key] for key in KEYS}, canonical=True) == again
        assert sound("partial", again), again.hex()
        names = [leaf.device for leaf in value.leaves]
        assert names == sorted(set(names))
        typed = [group for group in value.groups.values() if group.tag != ENCODED]
        assert all(group.size * WIDTHS[group.tag] == len(group.data) for group in typed)
        assert partial.load(again, limit=LIMIT) == value
        decoded = refusal(lambda value=value: parts.decoded(value, INT8, {"main": [3]}))  # type: ignore[misc]
        assert decoded in (("",) if len(typed) == len(value.groups) else ("", "malformed", "shape")), decoded


def seeds() -> tuple[bytes, ...]:
    """Gives the golden partials, one whose group is long enough to be left where it is, and those that take most memory."""
    whole = [golden.sent(name) for name in golden.NAMES if "partial" in golden.read(name)]
    long = Group(1, codec.FLOAT32, bytes(codec.LONG + 4))
    crowd = tuple(Leaf(f"{number:03}", "away") for number in range(300))
    made = [Partial(groups={"main": long}, leaves=(Leaf("a"),)), Partial(groups={}, leaves=crowd)]
    dense = {**cbor2.loads(whole[0]), "newer": [{}] * 4_000}
    return (*whole, partial.dump(update("lamp-7", 3)), *map(partial.dump, made), cbor2.dumps(dense, canonical=True))


TARGET = Target("partials", run, seeds(), longest=8_192)
