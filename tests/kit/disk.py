"""Disks that are full: real ones, small enough for a test to fill."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

MakeDisk = Callable[[Path, int], "Disk"]
PIECE = 4_096  # bytes: what is smaller than that has room in what files have already


class Disk:
    """A file system of its own in memory, mounted on a folder."""

    def __init__(self, folder: Path, size: int) -> None:
        """Mounts `size` bytes."""
        self.folder = folder
        self._ballast = folder / "ballast"
        folder.mkdir(parents=True, exist_ok=True)
        command = ("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")

    def fill(self, leave: int = 0) -> None:
        """Takes all the room that there is, but `leave` bytes."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PIECE))
            except OSError as error:
                assert error.errno == errno.ENOSPC
            file.truncate(max(0, file.tell() - leave))

    def make_room(self) -> None:
        """Gives it back."""
        self._ballast.unlink()

    @property
    def free(self) -> int:
        """Bytes that there is room for."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """Unmounts it, also where something still has a file open."""
        subprocess.run(("umount", "-l", str(self.folder)), check=True)


@pytest.fixture
def make_disk() -> Iterator[MakeDisk]:
    """Gives a way to mount small disks; they go with the test."""
    with ExitStack() as stack:

        def make(folder: Path, size: int) -> Disk:
            disk = Disk(folder, size)
            stack.callback(disk.close)
            return disk

        yield make
