"""Whether what has failed is a disk that has no room: of the data folder, or of the database's server."""

import os
from pathlib import Path

from folkmoot.errors import DiskFault
from folkmoot.store import disk

# PostgreSQL's disk_full and io_error (its manual, Appendix A), and whether they are about room.
_STATES = {"53100": True, "58030": False}
LEAST = 1 << 20  # bytes that a service must have to take anything


def shortage(error: BaseException, data: Path) -> DiskFault | None:
    """Gives what an error of the database, of the blobs or of a file says about a disk; None for anything else."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, DiskFault):
            return at
        cause = getattr(at, "orig", None) or at
        state = _STATES.get(getattr(cause, "sqlstate", None) or "")
        full = disk.about(cause, data) if state is None else state
        if full is not None:
            return DiskFault(str(cause).partition("\n")[0], full=full)
        at = at.__cause__
    return None


def lacking(data: Path) -> str:
    """Gives why nothing can be stored in the data folder, as far as a look can tell; "" where it can."""
    found = os.statvfs(data)
    if found.f_flag & os.ST_RDONLY:
        return "the disk fails: it can only be read"
    return "no room on the disk" if found.f_bavail * found.f_frsize < LEAST else ""
