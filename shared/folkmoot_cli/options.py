"""The options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

URL = "http://127.0.0.1:8080"

Url = Annotated[
    str, typer.Option(envvar="FOLKMOOT_URL", metavar="URL", help="Where the cloud's API is.", rich_help_panel="Cloud")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="FOLKMOOT_TOKEN_FILE",
        metavar="FILE",
        help="Holds the token to the API. Without it, the variable FOLKMOOT_TOKEN does.",
        rich_help_panel="Cloud",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines, on standard output.")]
Limit = Annotated[int, typer.Option(min=0, help="Rows at most; 0: all.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or `latest`.")]
