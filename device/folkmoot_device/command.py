"""`folkmoot device run`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def run(
    file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings, TOML; variables FOLKMOOT_DEVICE_* win over it."),
    ] = None,
) -> None:
    """Be a device.

    Example: folkmoot device run --config device.toml
    """
    # The agent takes this process's place: the command line's 8 MB have no business on a board of 512.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "folkmoot_device", *(["--config", str(file)] if file else [])])  # noqa: S606
