"""The command `folkmoot`: what is typed, what becomes of it, and the code that it exits with.

0: done. 1: our fault, or the machine's. 2: the person's, in one sentence that says what to do. 130: interrupted.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from folkmoot import __version__, log
from folkmoot.errors import FolkmootError, UserFault
from folkmoot_cli.tree import Tree

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130


@dataclass
class Manner:
    """How this invocation goes about things."""

    debug: bool = False  # a traceback where there is one


app = typer.Typer(
    name="folkmoot",
    cls=Tree,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"folkmoot {__version__}")
        raise typer.Exit


@app.callback()
def folkmoot(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="FOLKMOOT_DEBUG", help="Show where an error comes from: a traceback.")
    ] = False,
) -> None:
    """Federated learning for the things in people's homes.

    To begin with: [bold]folkmoot demo[/bold]
    """
    manner: Manner = context.obj
    manner.debug = debug


def run(arguments: Sequence[str]) -> int:
    """Does what `arguments` say and gives the exit code. An error is one sentence on standard error."""
    log.setup("error")
    manner = Manner()
    try:
        command = typer.main.get_command(app)
        code = command.main(list(arguments), prog_name="folkmoot", standalone_mode=False, obj=manner)
    except Exception as error:
        if manner.debug:
            raise
        sentence, code = judge(error)
        if sentence:
            print(f"folkmoot: {sentence}", file=sys.stderr)
        return code
    return code if isinstance(code, int) else DONE


def judge(error: Exception) -> tuple[str, int]:
    """Gives what to say about an error, and the exit code: whose fault it is."""
    match error:
        case UserFault():
            return str(error), MISTAKE
        case FolkmootError():
            return str(error), FAILED
        case typer.TyperException():
            return error.format_message(), MISTAKE  # empty where its help was shown
        case typer.Abort():
            return "interrupted", INTERRUPTED
        case OSError():
            return f"this machine does not do it: {error}", FAILED
        case _:
            what = f"{type(error).__name__}: {error}".partition("\n")[0]
            return f"a bug of Folkmoot ({what}); `folkmoot --debug ...` shows where", FAILED


def main() -> None:
    """Is what the console script calls."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
