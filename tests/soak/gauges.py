"""What a process holds, read from outside at a moment: proc(5)."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from folkmoot.serve import memory


@dataclass(frozen=True, slots=True)
class Gauge:
    """One look at a process."""

    at: float  # seconds since the soak began
    resident: float  # MiB
    proportional: float  # MiB, shared pages divided by those who share them
    files: int  # open descriptors, sockets among them
    sockets: int
    threads: int
    folder: float  # MiB of what it keeps on disk


def look(at: float, pid: int, folder: Path) -> Gauge:
    """Gives what a process holds now. Raises OSError where it has just ended."""
    kinds = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            kinds.append(str(descriptor.readlink()).split(":")[0])
    return Gauge(
        at=at,
        resident=memory.resident(pid) / 2**20,
        proportional=memory.proportional(pid) / 2**20,
        files=len(kinds),
        sockets=kinds.count("socket"),
        threads=sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()),
        folder=_size(folder) / 2**20,
    )


def _size(folder: Path) -> int:
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # removed meanwhile
                size += (Path(path) / name).stat().st_size
    return size


def strays(mark: str) -> list[str]:
    """Gives the processes, as pid and command, that carry `mark` in their environment, as everything does that they started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):  # another account's, or it has ended
                if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(f"{folder.name}: {(folder / 'cmdline').read_bytes().replace(bytes(1), b' ').decode()}")
    return found
