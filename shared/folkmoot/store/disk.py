"""What a disk says where it does not do: whether that is about room, whether it may pass, and whether it has passed."""

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from folkmoot.errors import DiskFault, StoreFault

# What a write ends with on a full disk, beyond a quota, or beyond the largest file that a process may have.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# A card that is failing, was mounted read-only by the kernel for that, or a server of files that is away.
FAILING = frozenset({errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT})
# SQLite does not say what the system said. These may be about the disk, or about a file that we may not write.
_MAYBE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
SHARE = (64 << 20, 2 << 30)  # bytes (protocol.md, Numbers to start from); a disk that lacks the least is full before
SMALL = 1 << 16  # bytes: what a transaction without a payload takes at most


def share(folder: Path) -> int:
    """Gives how many bytes a node may keep of what others send it: a tenth of the disk, within SHARE. Raises StoreFault."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise fault(folder, error) from None
    least, most = SHARE
    return max(least, min(most, found.f_blocks * found.f_frsize // 10))


def enter(folder: Path) -> None:
    """Puts a folder's entries on the disk: before that a power cut may take files that were synced. Raises OSError."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def fault(place: Path, error: OSError | sqlite3.Error) -> StoreFault:
    """Gives what an error at `place`, a file or a folder, is to us: a DiskFault where it may pass, else a StoreFault."""
    full = about(error, place if place.is_dir() else place.parent)
    return StoreFault(f"{place}: {error}") if full is None else DiskFault(f"{place}: {error}", full=full)


def about(error: BaseException, folder: Path) -> bool | None:
    """Whether an error says that there is no room (True) or that the disk fails (False); None: neither."""
    if isinstance(error, OSError):
        return True if error.errno in FULL else False if error.errno in FAILING else None
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return True
    if code == sqlite3.SQLITE_IOERR or code in _MAYBE:
        found = lacking(folder, SMALL)
        return found.full if found is not None else False if code == sqlite3.SQLITE_IOERR else None
    return None


def lacking(folder: Path, size: int) -> DiskFault | None:
    """Tries to have `size` bytes more in a folder, and leaves nothing behind; gives what comes of it, None where it does.

    An error that is not about the disk is none here: whoever wants to store something will meet it.
    """
    path = folder / "room.new"
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        full = about(error, folder)
        return None if full is None else DiskFault(f"{folder}: {error}", full=full)
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return None
