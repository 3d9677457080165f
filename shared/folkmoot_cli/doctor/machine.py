"""What the doctor finds on this machine: software, room on the disk, the clock."""

import os
import platform
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from folkmoot import __version__
from folkmoot_cli import output
from folkmoot_cli.doctor.finding import Finding

PART = "machine"
RUNTIMES = ("tflite-runtime", "ai-edge-litert")
# A device's outbox alone may take 64 MiB (docs/protocol.md, Numbers); programs and weights are cached beside it.
LEAST, PLENTY = 64 << 20, 512 << 20  # bytes
# No release of Folkmoot is older: a clock that says so starts at its epoch, or has lost its battery.
RELEASED = datetime(2025, 1, 1, tzinfo=UTC)


def examine(folder: Path, *, trains: bool) -> Iterator[Finding]:
    """Yields what there is; `folder` is where everything is kept, `trains` says whether this machine is to train."""
    yield Finding(PART, "software", "ok", f"folkmoot {__version__}, Python {platform.python_version()}, {platform.machine()}")
    yield _runtime(trains)
    yield _disk(folder)
    yield clock(datetime.now(UTC))


def _runtime(trains: bool) -> Finding:
    for name in RUNTIMES:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return Finding(PART, "runtime", "ok", f"{name} {version}", {"name": name, "version": version})
    if trains:
        return Finding(
            PART, "runtime", "wrong", "no TFLite runtime, so this device cannot train: pip install 'folkmoot[device]'"
        )
    return Finding(PART, "runtime", "note", "no TFLite runtime: only devices need one")


def _disk(folder: Path) -> Finding:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    if not os.access(there, os.W_OK | os.X_OK):
        says = f"{there} cannot be written: let this user write there, or set another folder"
        return Finding(PART, "disk", "wrong", says, {"folder": str(there)})
    return room(there, shutil.disk_usage(there).free)


def room(folder: Path, free: int) -> Finding:
    """Gives what so many free bytes mean."""
    figures = {"folder": str(folder), "free_bytes": free}
    says = f"{output.size(free)} free in {folder}"
    if free < LEAST:
        return Finding(PART, "disk", "wrong", f"{says}: make room, {output.size(LEAST)} at least", figures)
    if free < PLENTY:
        return Finding(PART, "disk", "note", f"{says}: large models may not fit", figures)
    return Finding(PART, "disk", "ok", says, figures)


def clock(now: datetime) -> Finding:
    """Gives what a wall clock that stands at `now` means."""
    figures = {"now": now.isoformat(timespec="seconds")}
    shown = now.strftime("%Y-%m-%d %H:%M UTC")
    if now < RELEASED:
        # Rounds do not mind, TLS does: no certificate is valid yet.
        return Finding(
            PART, "clock", "wrong", f"{shown} is before this software was made: set the clock, TLS needs it", figures
        )
    return Finding(PART, "clock", "ok", shown, figures)
