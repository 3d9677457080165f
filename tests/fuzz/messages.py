"""The codec: whole messages, and the body of each type by itself. The first byte of an input says which."""

import cbor2
import msgspec

from folkmoot.hop.ports import ROOM
from folkmoot.wire import codec
from folkmoot.wire.messages import NUMBERS, TYPES, Ask, Plan
from tests.fuzz.agreement import agrees, deterministic, sound
from tests.fuzz.target import Target, bounded, refusal
from tests.kit import golden

LIMIT = 65_536 + ROOM  # bytes, as a gateway has it
# docs/protocol.md, Envelope: which key is which field.
KEYS = {2: "id", 3: "src", 4: "dst", 5: "ts_ms", 6: "fresh", 7: "ask", 8: "remaining_ms", 9: "body"}
NEVER = {"ask": b"", "remaining_ms": None}  # what stands for a key that is left out


def run(data: bytes) -> None:
    """Reads one input; a message as it is, and as it is where nothing has damaged it on its way."""
    kind, content = data[0] % (len(TYPES) + 1) if data else 0, data[1:]
    if kind == 0:
        _message(content)
        _message(codec.check(content))
    else:
        _body(content, TYPES[kind])


def _message(data: bytes) -> None:
    found: list[codec.Envelope] = []
    with bounded(len(data) if len(data) <= LIMIT else 0):
        reason = refusal(lambda: found.append(codec.unseal(data, limit=LIMIT)))
    assert reason in ("", "crc", "malformed", "oversized", "unknown_type"), reason
    assert (len(data) > LIMIT) == (reason == "oversized")
    assert reason in ("", "crc", "oversized") or data == codec.check(data)
    for envelope in found:
        assert data == codec.check(data)
        sent, again = cbor2.loads(data), codec.seal(envelope)
        assert deterministic(data), data.hex()
        for key, name in KEYS.items():
            value = getattr(envelope, name)
            assert agrees(sent[key], value) if key in sent else value == NEVER[name], name
        assert type(sent[0]) is int
        assert sent[1] == NUMBERS[type(envelope.body)]
        assert sound("message", again), again.hex()
        # The digest is of what came, with what this minor version does not know.
        read = msgspec.structs.replace(codec.unseal(again, limit=LIMIT), digest=envelope.digest)
        assert read == envelope or b"\xf9\x7e\x00" in again  # NaN is unlike itself
        assert codec.seal(codec.unseal(again, limit=LIMIT)) == again
        _ranges(envelope.body)


def _body(data: bytes, kind: type[msgspec.Struct]) -> None:
    found: list[msgspec.Struct] = []
    with bounded(len(data) if len(data) <= LIMIT else 0):
        reason = refusal(lambda: found.append(codec.load(data, kind, limit=LIMIT)))
    assert reason in ("", "malformed", "oversized"), reason
    assert (len(data) > LIMIT) == (reason == "oversized")
    for body in found:
        again = codec.dump(body)
        assert deterministic(data), data.hex()
        assert agrees(cbor2.loads(data), body)
        assert sound(kind.__name__.lower(), again), again.hex()
        assert codec.dump(codec.load(again, kind, limit=LIMIT)) == again
        _ranges(body)


def _ranges(body: object) -> None:
    """Holds what a schema cannot say of floats: ranges that NaN is not in."""
    if isinstance(body, Ask):
        assert 0 < body.bound <= 1e9
        assert isinstance(body.plan, Plan)
        assert 0 < body.plan.learning_rate <= 100
        assert 0 <= body.plan.proximal <= 1000


def seeds() -> tuple[bytes, ...]:
    """Gives the golden messages, and their bodies."""
    whole = [golden.sent(name) for name in golden.NAMES if "type" in golden.read(name)]
    fields = [cbor2.loads(data) for data in whole]
    bodies = [bytes([one[1]]) + cbor2.dumps(one[9], canonical=True) for one in fields]
    # What takes most memory for its bytes: empty maps, in a key that is not known and in those that are.
    dense = [{**fields[0], 15: [{}] * 900}, {**fields[0], 15: ["\U0001f600" + "a" * 60] * 50}]
    home = ["a", "up", 0, "", "", 0, ""]
    bodies += [
        b"\x0a" + cbor2.dumps({"devices": [home] * 300}, canonical=True),
        b"\x0a" + cbor2.dumps({"features": [""] * 3000}),
    ]
    return (*(b"\0" + data for data in whole), *(b"\0" + cbor2.dumps(one, canonical=True) for one in dense), *bodies)


TARGET = Target("messages", run, seeds(), cbor=1)
