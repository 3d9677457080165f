"""A recording as it is read: its records in order, and what of it is missing or torn."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec

from folkmoot.errors import UserFault
from folkmoot.flight import entry
from folkmoot.flight.entry import Begin, Entry, Join, Step
from folkmoot.flight.part import Part, parts


@dataclass(frozen=True, slots=True)
class Gap:
    """What comes next does not follow what came before."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record, with what is attached to it."""

    entry: Entry
    messages: tuple[bytes, ...] = ()
    contents: tuple[bytes, ...] = ()


def find(place: Path) -> Path:
    """Gives the folder of the one recording at `place`: itself, or the only one in it.

    Raises UserFault where there is none, or several.
    """
    try:
        if parts(place):
            return place
        found = sorted(path for path in place.iterdir() if path.is_dir() and parts(path))
    except OSError as error:
        raise UserFault(f"{place} cannot be read: {(error.strerror or str(error)).lower()}") from None
    if not found:
        raise UserFault(f"there is no recording in {place}: name the folder that `record` in the settings names")
    if len(found) > 1:
        raise UserFault(f"there are several recordings in {place}: name one of {', '.join(map(str, found))}")
    return found[0]


class Recording:
    """The parts in a folder; `notes` says afterwards what of them is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.notes: list[str] = []
        self.bytes = 0
        self.records = 0

    def __iter__(self) -> Iterator[Record | Gap]:
        """Yields every record. Raises UserFault where the folder cannot be read."""
        self.notes, self.bytes, self.records = [], 0, 0
        try:
            found = parts(self._folder)
            before = found[0][0] if found else 0
            for number, path in found:
                if number > before + 1:
                    self.notes.append(f"there is nothing between part {before} and part {number}")
                    yield Gap()
                before = number
                yield from self._part(Part(path))
        except OSError as error:
            raise UserFault(f"{self._folder} cannot be read: {(error.strerror or str(error)).lower()}") from None

    def _part(self, part: Part) -> Iterator[Record | Gap]:
        self.bytes += part.path.stat().st_size
        for head, attached in part:
            try:
                yield _record(head, attached)
            except msgspec.MsgspecError as error:
                part.left = f"it was written by another version: {error}"
                break
            self.records += 1
        if part.left:
            self.notes.append(f"{part.path.name}: {part.left}, and left out")
            yield Gap()


def _record(head: bytes, attached: memoryview) -> Record:
    """Gives a record. Raises msgspec.MsgspecError."""
    found = entry.decode(head)
    match found:
        case Step(messages=messages, contents=contents):
            cut = _cut(attached, [*messages, *contents])
            return Record(found, cut[: len(messages)], cut[len(messages) :])
        case Begin(contents=contents) | Join(contents=contents):
            return Record(found, (), _cut(attached, contents))
        case _:
            return Record(found)


def _cut(attached: memoryview, sizes: list[int]) -> tuple[bytes, ...]:
    """Gives the pieces of these sizes. Raises msgspec.ValidationError where they are not what is there."""
    if sum(sizes) != len(attached) or min(sizes, default=0) < 0:
        raise msgspec.ValidationError("what is attached has another length")
    return tuple(bytes(attached[start:end]) for start, end in pairwise(accumulate(sizes, initial=0)))
