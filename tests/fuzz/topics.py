"""The topic parser. The first byte of an input says in which tree."""

from folkmoot.wire import codec
from folkmoot.wire.messages import TYPES
from folkmoot.wire.topics import Place, Tree
from tests.fuzz.target import Target, bounded, refusal
from tests.kit import golden

TREES = (Tree("fl", "hall"), Tree("fl"))
VECTORS = [golden.read(name) for name in golden.NAMES]
SENT = [codec.unseal(golden.sent(name), limit=1 << 20).body for name in golden.NAMES if "type" in golden.read(name)]
BODIES = {type(body): body for body in SENT}
ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_/")


def run(data: bytes) -> None:
    """Reads one input."""
    tree, topic = TREES[data[0] % 2 if data else 0], data[1:].decode("utf-8", "replace")
    found: list[Place] = []
    with bounded(len(data)):
        reason = refusal(lambda: found.append(tree.place(topic)))
    assert reason in ("", "topic"), reason
    for place in found:
        root = f"fl/v1/h/{tree.upper}/{place.member}" if tree.upper else f"fl/v1/c/{place.member}/{place.shard}"
        assert topic == "/".join(part for part in (root, place.direction, place.kind) if part)
        assert topic.count("/") <= 7
        assert ALPHABET.issuperset(topic)
        assert "_" not in topic or topic == tree.upper_status, topic
        for kind, body in BODIES.items():
            if place.admits(body):
                assert tree.topic(place.member, kind, place.shard) == topic or topic == tree.upper_status


def seeds() -> tuple[bytes, ...]:
    """Gives every topic of both trees, and those of the golden vectors."""
    own = [
        bytes([which]) + topic.encode()
        for which, tree in enumerate(TREES)
        for topic in (tree.upper_status, *(tree.topic("lamp-7", kind, tree.shard("run-1")) for kind in TYPES.values()))
    ]
    return (*own, *(b"\0" + vector["topic"].encode() for vector in VECTORS if "topic" in vector))


TARGET = Target("topics", run, seeds(), cbor=None, longest=300)
