"""Branches as bytes: what nothing happens in takes a small part of the memory that its objects take."""

import copyreg
import pickle
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from io import BytesIO
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from folkmoot.link.face import Last
from folkmoot.link.hub_packets import Shape
from folkmoot.simulate.disk import BLOBS
from folkmoot.simulate.scenario.branch import Branch
from folkmoot.simulate.scenario.profile import Device, Gateway
from folkmoot.wire import messages

# Of a home of 20 devices it makes 14 KB of 61, in 0.3 ms; level 6 makes 13 KB in four times that.
LEVEL = 1

_Reduce = Callable[[Any], tuple[Any, ...]]


class Shelf:
    """Makes bytes of branches, and the branches of them again. What they share stays out of the bytes, and shared.

    The bytes begin by asking for all that is shared, so that Pickler and Unpickler number it as what they have met already. A
    `persistent_id` would do the same, and be called for each of some 17,000 objects of a home: that took as long as the rest.
    """

    def __init__(self, things: Iterable[object]) -> None:
        """`things`: what branches share. A branch that comes back has these very ones, as it has had them."""
        self._things: list[object] = []
        self._memo: dict[int, tuple[int, object]] = {}
        self._head = b""  # asks for the things
        self._blobs = 0  # of those that disks share, how many are among the things
        self._add(things)
        self._add(one for kind in _kinds() for one in _defaults(kind) if not isinstance(one, (int, float)))
        self._table: dict[Any, Any] = {**copyreg.dispatch_table, **_table()}

    def put(self, branch: Branch) -> bytes:
        """Gives a branch as bytes."""
        self._add(islice(BLOBS.values(), self._blobs, None))
        self._blobs = len(BLOBS)
        content = BytesIO()
        content.write(self._head)
        pickler = pickle.Pickler(content, pickle.HIGHEST_PROTOCOL)
        pickler.dispatch_table = self._table
        pickler.memo = self._memo
        pickler.dump(branch)
        return zlib.compress(content.getbuffer(), LEVEL)

    def take(self, data: bytes) -> Branch:
        """Gives the branch again: equal in all that it does from then on."""
        unpickler = pickle.Unpickler(BytesIO(zlib.decompress(data)))  # noqa: S301  # our own
        unpickler.persistent_load = self._things.__getitem__  # type: ignore[method-assign]
        branch: Branch = unpickler.load()
        return branch

    def _add(self, things: Iterable[object]) -> None:
        for thing in things:
            number = len(self._things)
            self._memo[id(thing)] = number, thing
            self._things.append(thing)
            self._head += b"".join((pickle.BININT, number.to_bytes(4, "little"), pickle.BINPERSID, pickle.MEMOIZE, pickle.POP))


def _kinds() -> Iterator[type[msgspec.Struct]]:
    for kind in vars(messages).values():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield kind


def _defaults(kind: type[msgspec.Struct]) -> Iterator[object]:
    """Yields what fields of a message are by default: msgspec leaves a field out that is this very object, not an equal one."""
    for one in kind.__struct_defaults__:
        values = isinstance(one, (str, bytes, int, float, tuple, msgspec.Struct))  # others are made anew for each message
        if values and pickle.loads(pickle.dumps(one)) is not one:  # noqa: S301  # our own
            yield one


def _table() -> dict[type, _Reduce]:
    """Gives how some kinds of objects are written."""
    # Numbers cannot be shared: a field that has its default is left to have it again.
    lean = {kind: _lean(kind) for kind in _kinds() if any(isinstance(one, (int, float)) for one in _defaults(kind))}
    # Plain values, of which there are many: by itself, Python goes through the fields of each, one by one.
    return lean | {kind: _row(kind) for kind in (Device, Gateway, Last, Shape)}


def _lean(kind: type[msgspec.Struct]) -> _Reduce:
    defaults = dict(zip(reversed(kind.__struct_fields__), reversed(kind.__struct_defaults__), strict=False))
    return partial(_apart, [(name, defaults.get(name, msgspec.NODEFAULT)) for name in kind.__struct_fields__])


def _apart(names: Iterable[tuple[str, object]], one: msgspec.Struct) -> tuple[Any, ...]:
    return _message, (type(one), {name: it for name, default in names if (it := getattr(one, name)) is not default})


def _message(kind: type[msgspec.Struct], fields: Mapping[str, Any]) -> msgspec.Struct:
    return kind(**fields)


def _row(kind: type) -> _Reduce:
    values = attrgetter(*(field.name for field in fields(kind)))
    return lambda one: (kind, values(one))
