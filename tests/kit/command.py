"""The command line in this process: what it is told, and what it says."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from folkmoot_cli.__main__ import run


@dataclass(frozen=True)
class Said:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The documents on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def sentence(self) -> str:
        """What a person is told who has made a mistake: one line, and nothing else."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert "Traceback" not in line
        return line.removeprefix("folkmoot: ")


Command = Callable[..., Said]


@pytest.fixture
def folkmoot(capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Gives `folkmoot`, to be called with its arguments."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def call(*arguments: object) -> Said:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Said(code, *capfd.readouterr())

    yield call
    root.handlers[:], root.level = before
