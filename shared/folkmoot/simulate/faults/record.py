"""Which seeds were run, and with which source: lines of JSON that one goes on with, one for each block of seeds."""

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import msgspec

from folkmoot.errors import UserFault

BLOCK = 250  # seeds of one line
PACKAGES = ("folkmoot", "folkmoot_cloud", "folkmoot_gateway", "folkmoot_device")
ASIDE = ("author", "tasks", "result", "scenario", "__pycache__")  # folders that no simulated run uses


class Block(msgspec.Struct, frozen=True):
    """Some seeds, one after another, and which of them broke a law."""

    source: str  # of the programs that were run, see `source`
    first: int
    last: int
    broken: tuple[int, ...] = ()


def source() -> str:
    """Gives 12 hexadecimal digits that stand for the programs that are installed: other sources, other runs."""
    found = hashlib.sha256()
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in spec.submodule_search_locations or () if spec is not None else ():
            for path in sorted(Path(folder).rglob("*.py")):
                if not any(part in ASIDE for part in path.relative_to(folder).parts):
                    found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


class Record:
    """The file."""

    def __init__(self, path: Path) -> None:
        """Reads what is there. Raises UserFault for a file that is no such record."""
        self._path = path
        self.blocks: list[Block] = []
        try:
            lines = path.read_bytes().splitlines() if path.exists() else []
            self.blocks = [msgspec.json.decode(line, type=Block) for line in lines if line.strip()]
        except (OSError, msgspec.DecodeError) as error:
            raise UserFault(f"--record {path}: this is no record of simulated seeds: {error}") from None

    def add(self, block: Block) -> None:
        """Writes what came of a block."""
        self.blocks.append(block)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(block) + b"\n")

    def left(self, first: int, last: int, source: str) -> list[tuple[int, int]]:
        """Gives the blocks of a range that have not been run with this source."""
        done = {(block.first, block.last) for block in self.blocks if block.source == source}
        return [block for block in blocks(first, last) if block not in done]

    @property
    def seeds(self) -> int:
        """Seeds in all, whatever their source."""
        return sum(block.last - block.first + 1 for block in self.blocks)


def blocks(first: int, last: int) -> list[tuple[int, int]]:
    """Gives a range in blocks of BLOCK, whose borders do not depend on where it begins."""
    borders: Sequence[int] = [first, *range(first - first % BLOCK + BLOCK, last + 1, BLOCK), last + 1]
    return [(start, end - 1) for start, end in pairwise(borders)]
