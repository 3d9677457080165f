"""`folkmoot gateway run`."""

from pathlib import Path
from typing import Annotated

import typer

from folkmoot.serve import entry
from folkmoot_gateway.serve import serve
from folkmoot_gateway.settings import PREFIX, Settings


def run(
    file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings, TOML; variables FOLKMOOT_GATEWAY_* win over it."),
    ] = None,
) -> int:
    """Be the gateway of a home.

    Example: folkmoot gateway run --config gateway.toml
    """
    return entry.run(file, Settings, PREFIX, serve)
