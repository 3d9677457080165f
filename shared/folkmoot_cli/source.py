"""Where a bundle comes from: a file, or Folkmoot itself."""

from pathlib import Path
from typing import Annotated

import typer

from folkmoot import tasks
from folkmoot.errors import UserFault

Source = Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle (.fmb), or a task that comes with Folkmoot.")]


def read(source: str) -> bytes:
    """Gives the bytes of a bundle: of a file, or of the task of that name that comes with Folkmoot.

    Raises UserFault where it is neither.
    """
    path = Path(source)
    if not path.exists() and source in tasks.names():
        return tasks.read(source)
    try:
        return path.read_bytes()
    except OSError as error:
        come = ", ".join(tasks.names())
        raise UserFault(
            f"{source} cannot be read ({error.strerror}), and is none of the tasks that come with Folkmoot: {come}"
        ) from None
