"""`folkmoot cloud serve`."""

from pathlib import Path
from typing import Annotated

import typer

from folkmoot import config, log
from folkmoot_cloud import serve as service
from folkmoot_cloud.runner.engine import Runner
from folkmoot_cloud.settings import PREFIX, Settings


def serve(
    file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings, TOML; variables FOLKMOOT_CLOUD_* win over it."),
    ] = None,
) -> None:
    """Serve the API and run the rounds.

    The first start prints a token for the API, once.

    Example: FOLKMOOT_CLOUD_LISTEN_PORT=8081 folkmoot cloud serve
    """
    settings = config.load(file, Settings, PREFIX)
    log.setup(settings.log.level, json=settings.log.json)
    service.serve(settings, Runner)
