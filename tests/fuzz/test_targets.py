"""What comes from elsewhere is read within its bounds, refused, or is exactly what it says: by chance, near what is sound."""

import random
import re
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.store.spool import Spool
from folkmoot.wire import bundle, chunks, codec, partial, topics
from tests.fuzz.mutation import change
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target, hold

EVERY = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    """Has the allocations counted that the targets hold to their bound."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def nearly(target: Target) -> st.SearchStrategy[bytes]:
    """Gives inputs that are sound but for a few changes, and noise."""

    def changed(seed: bytes, rng: random.Random, times: int) -> bytes:
        for _ in range(times):
            seed = change(seed, rng, target.cbor)
        return seed

    seeds = st.sampled_from(target.seeds)
    near = st.builds(changed, seeds, st.randoms(use_true_random=False), st.integers(1, 4))
    return near | near | st.binary(max_size=min(target.longest, 400))


@EVERY
def test_what_is_sound_is_read(target: Target) -> None:
    for seed in target.seeds:
        hold(target, seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_is_nearly_sound_is_refused_or_is_what_it_says(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    hold(target, data.draw(nearly(target)))


class Whatever:
    """A digest that is no other than any other."""

    def __ne__(self, other: object) -> bool:
        return False


def believing(self: Spool, coming: Any) -> None:
    """Marks every piece as there."""
    for index in range(coming.bitmap.total):
        coming.bitmap.add(index)


# Deliberate bugs: target, what is replaced, by what.
BUGS: dict[str, tuple[str, Any, str, Any]] = {
    "heads and keys are not looked at": ("messages", codec, "scan", lambda *_, **__: []),
    "rows may be short": ("messages", codec, "whole", lambda *_: None),
    "text does for bytes": ("messages", codec, "convert", lambda value, kind: msgspec.convert(value, kind, strict=False)),
    "a fault of the parser is not ours": ("messages", codec, "PeerFault", ValueError),
    "a newline may end a topic": ("topics", topics, "_HOME", re.compile(topics._HOME.pattern.replace(r"\Z", r"\s*\Z"))),
    "any array is a group": ("partials", partial, "WIDTHS", dict.fromkeys(codec.ARRAYS, 1)),
    "a level may lie outside of the model": ("bundles", bundle, "_check", lambda *_: None),
    "digests are not compared": ("bundles", codec, "digest", lambda data: Whatever()),
    "pieces are forgotten in a restart": ("pieces", Spool, "_recognise", lambda *_: None),
    "pieces of an earlier life are believed to be there": ("pieces", Spool, "_recognise", believing),
    "the first piece is never there": ("pieces", chunks.Bitmap, "missing", lambda self: iter(range(self.total))),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_that_is_made_on_purpose_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, where, what, instead = BUGS[bug]
    target, rng = TARGETS[name], random.Random(7)
    monkeypatch.setattr(where, what, instead, raising=False)
    with pytest.raises(Exception) as found:  # a law that is broken, or whatever the bug lets through
        for _ in range(20_000):
            data = rng.choice(target.seeds)
            for _ in range(rng.randrange(1, 4)):
                data = change(data, rng, target.cbor)
            hold(target, data)
    assert not isinstance(found.value, PeerFault)
