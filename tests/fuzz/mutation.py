"""Nearly sound inputs: one that is sound, with a part of it replaced, dropped, doubled, moved or damaged.

Bits that flip at random rarely get past a length; a change of the tree that the bytes stand for does.
"""

import random
from typing import Any

import cbor2

EDGES = (0, 1, 23, 24, 255, 256, 1024, 1 << 20, (1 << 28) + 1, (1 << 53) - 1, 1 << 53, 1 << 60, (1 << 64) - 1, -1, -(1 << 63))
VALUES: tuple[Any, ...] = (
    *EDGES,
    *(0.0, -0.0, 0.1, 1.0, 1e300, float("inf"), float("nan")),
    *(None, True, False, "", "a", "A", "a\n", "\0", "é" * 40, "\U0001f600" * 70, "x" * 201, "aGVsbG8=", "A" * 43 + "="),
    *(b"", b"\0" * 16, b"\0" * 32, b"\xff" * 33, bytes(4_104), [], [[]], [0, 0], {}, {"": 0}, {0: 0}, {"newer": [1]}),
    *(cbor2.CBORTag(tag, bytes(8)) for tag in (64, 72, 77, 78, 79, 85, 86)),
)


def change(data: bytes, rng: random.Random, front: int | None = 0) -> bytes:
    """Gives `data` changed in one place: in the CBOR item behind its first `front` bytes, or, with None, in its bytes."""
    if front is not None and rng.random() < 0.8:
        try:
            item = cbor2.loads(data[front:])
            return data[:front] + cbor2.dumps(_changed(item, rng), canonical=True)
        except Exception:  # what is no item, or none that can be written: whatever cbor2 says of it
            return _damaged(data, rng)
    return _damaged(data, rng)


def _damaged(data: bytes, rng: random.Random) -> bytes:
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    match rng.randrange(6):
        case 5:
            return data + rng.randbytes(1)
        case 0:
            return data[:at] + data[end:]
        case 1:
            return data[:end] + data[at:]
        case 2:
            return data[:at] + rng.randbytes(rng.randrange(1, 10)) + data[at:]
        case 3 if at < len(data):
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        case _ if at < len(data):
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    return data + rng.randbytes(1)


def _changed(item: Any, rng: random.Random) -> Any:
    """Gives a plain value with one node of it changed."""
    if isinstance(item, dict) and item and rng.random() < 0.85:
        key = rng.choice(list(item))
        return {**item, key: _changed(item[key], rng)}
    if isinstance(item, list) and item and rng.random() < 0.75:
        at = rng.randrange(len(item))
        return [*item[:at], _changed(item[at], rng), *item[at + 1 :]]
    if isinstance(item, cbor2.CBORTag) and rng.random() < 0.7:
        return cbor2.CBORTag(item.tag, _changed(item.value, rng))
    return _other(item, rng)


def _other(item: Any, rng: random.Random) -> Any:
    """Gives a value that stands in the place of `item`, and may be like it."""
    choice = rng.randrange(4)
    match item:
        case bytes() if choice < 2 and len(item) > 32:  # an item within an item, where it is one
            return change(item, rng, 0)
        case bytes() if choice < 3:
            return _damaged(item, rng)
        case dict() if item and choice == 0:
            gone = rng.choice(list(item))
            return {key: value for key, value in item.items() if key != gone}
        case dict() if choice < 3:
            return {**item, rng.choice(("newer", "", "a", 15, "x" * 40)): rng.choice(VALUES)}
        case list() if item and choice == 0:
            at = rng.randrange(len(item))
            return item[:at] + item[at + 1 :]
        case list() if choice < 3:
            return [*item, rng.choice(item) if item and choice == 1 else rng.choice(VALUES)]
        case str() if choice < 2:
            at = rng.randrange(len(item) + 1)
            return item[:at] + rng.choice(("", "-", "_", "A", "\n", "0", "é", item)) + item[at + (choice == 0) :]
        case int() if choice < 2 and not isinstance(item, bool):
            return item + rng.choice((-1, 1, 1 << 8, -item * 2))
        case _:
            return rng.choice(VALUES)
