"""From a settings file to a program that runs until it is told to stop: what `python -m folkmoot_gateway` and its like do."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from folkmoot import config, log
from folkmoot.errors import FolkmootError, UserFault
from folkmoot.log import Settings as Log

S = TypeVar("S", bound="Logged")
T = TypeVar("T")


class Logged(Protocol):
    """Settings that have a section about logging."""

    @property
    def log(self) -> Log:
        """How much is said, and in which form."""
        ...


def main(
    program: str, kind: type[S], prefix: str, serve: Callable[[S, asyncio.Event], Awaitable[None]], argv: Sequence[str]
) -> int:
    """Runs `serve(settings, until)`; gives 0, 2 for a person's mistake, or 1 for what the machine does not do."""
    match list(argv):
        case []:
            return run(None, kind, prefix, serve)
        case ["--config", file]:
            return run(Path(file), kind, prefix, serve)
        case _:  # argparse would stay in the memory of an agent: half a MiB for one option
            print(
                f"usage: python -m {program} [--config FILE]; the environment ({prefix}_*) wins over the file", file=sys.stderr
            )
            return 2


def run(path: Path | None, kind: type[S], prefix: str, serve: Callable[[S, asyncio.Event], Awaitable[None]]) -> int:
    """Reads the settings and serves, as `main` does."""
    try:
        assert issubclass(kind, msgspec.Struct)
        settings = config.load(path, kind, prefix)
    except UserFault as fault:
        print(fault, file=sys.stderr)
        return 2
    log.setup(settings.log.level, json=settings.log.json)
    return guarded(settings, serve)


def guarded(settings: T, serve: Callable[[T, asyncio.Event], Awaitable[None]]) -> int:
    """Serves until a signal says to stop; an error is one sentence on standard error, and an exit code as for `main`."""
    try:
        asyncio.run(_until_told(settings, serve))
    except UserFault as fault:
        print(fault, file=sys.stderr)
        return 2
    except FolkmootError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


async def _until_told(settings: T, serve: Callable[[T, asyncio.Event], Awaitable[None]]) -> None:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, until.set)
    logging.getLogger(__name__).info("starting")
    await serve(settings, until)
