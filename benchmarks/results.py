"""What was measured, a line of JSON for each side of each turn: `results.jsonl`, which is committed and only ever added to."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from benchmarks.machine import Machine

FILE = Path(__file__).with_name("results.jsonl")
OURS = "folkmoot"


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One side, run once."""

    race: str
    began: str  # of the session, which is all turns of a race, in UTC as ISO 8601 has it
    turn: int
    side: str
    commit: str  # of this repository; ends in + where something was not committed
    machine: Machine
    load: float  # processes that wanted to run in the minute before, on the average
    seconds: float  # that it took
    version: str = ""  # of the peer
    figures: dict[str, float] = {}
    failed: str = ""  # what went wrong, where there are no figures


def read(file: Path = FILE) -> list[Result]:
    """Gives all results, oldest first."""
    if not file.exists():
        return []
    return [msgspec.json.decode(line, type=Result) for line in file.read_bytes().splitlines()]


def append(result: Result, file: Path = FILE) -> None:
    """Adds a result."""
    with file.open("ab") as out:
        out.write(msgspec.json.encode(result) + b"\n")


def newest(results: Sequence[Result], machine: Machine) -> dict[str, list[Result]]:
    """Gives the last session of each race on a machine."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if result.machine != machine:
            continue
        session = found.get(result.race, [])
        if session and session[0].began == result.began:
            session.append(result)
        elif not session or session[0].began < result.began:
            found[result.race] = [result]
    return found


def last_machine(results: Iterable[Result]) -> Machine | None:
    """Gives the machine of the newest result: a document is about one."""
    newest_first = sorted(results, key=lambda result: result.began)
    return newest_first[-1].machine if newest_first else None
