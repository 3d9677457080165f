"""`folkmoot plan`: what a run would take, before anybody starts it."""

from pathlib import Path
from typing import Annotated

import typer

from folkmoot_cli import foreseen, output, runfile
from folkmoot_cli.api import connect
from folkmoot_cli.options import URL, AsJson, TokenFile, Url


async def plan(
    file: Annotated[Path, typer.Argument(metavar="RUN.toml", help="The run, as `folkmoot run start` takes it.")],
    watts: Annotated[float | None, typer.Option(min=0, help="Of a device that trains, beyond rest.", show_default="2")] = None,
    joules_per_mb: Annotated[
        float | None, typer.Option(min=0, help="Of a device, for what it sends and receives.", show_default="5")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same one gives the same prediction.", show_default="0")] = None,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """Predict what a run would take, from what has been measured of the fleet.

    Nothing is started. Seconds, bytes, energy and drop-outs, each as a median with its 10th and 90th percentile, and whether a
    shorter deadline pays off. A run that is started keeps its prediction; `folkmoot run show` lays what it took beside it.

    Example: folkmoot plan RUN.toml
    """
    body = runfile.load(file)
    async with connect(url, token_file) as cloud:
        found = await cloud.post("predictions", body=body, watts=watts, joules_per_mb=joules_per_mb, seed=seed)
    if as_json:
        output.document(found)
    else:
        foreseen.tell(found)
