"""What has come of each cell, one line of JSON each: `results.jsonl`, which is committed and only ever appended to."""

from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("results.jsonl")


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cell, tried once."""

    cell: str
    commit: str  # of the product that was tried
    survived: bool
    why: str = ""  # where it did not, or could not be tried
    seconds: float | None = None  # until what was hit spoke about an Ask again
    closed: float | None = None  # until the round that was hit was over; None where it was before
    hit: bool = True  # whether the phase still lasted when the fault was there
    rounds: int = 0
    took: float = 0.0


def newest(file: Path = FILE) -> dict[str, Result]:
    """Gives the last result of every cell."""
    if not file.exists():
        return {}
    lines = (msgspec.json.decode(line, type=Result) for line in file.read_bytes().splitlines())
    return {one.cell: one for one in lines}


def append(result: Result, file: Path = FILE) -> None:
    """Adds a result."""
    with file.open("ab") as out:
        out.write(msgspec.json.encode(result) + b"\n")
