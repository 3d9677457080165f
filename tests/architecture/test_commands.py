"""Every command that a document tells people to type exists and takes the options that it is shown with."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from packaging.requirements import Requirement

from folkmoot_cli.__main__ import app
from tests.architecture.conftest import ROOT
from tests.architecture.test_containers import VARIABLES

DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("*/README.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
# Programs of others, as far as our documents use them.
FOREIGN = {".", "cd", "curl", "docker", "export", "git", "kill", "systemctl"}


def lines() -> Iterator[tuple[str, str]]:
    """Yields the document and the text of every command in a shell block, without variables before and `&` behind it."""
    for document in DOCUMENTS:
        for block in BLOCK.findall(document.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                for command in line.partition(" # ")[0].split("&&"):
                    bare = re.sub(r"^(?:[A-Z_]+=\S*\s+)*", "", command.strip().removesuffix("&").strip())
                    if bare and not bare.startswith("#"):
                        yield str(document.relative_to(ROOT)), bare


def targets() -> set[str]:
    """Gives the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def units() -> Iterator[tuple[str, str]]:
    """Yields the unit and the command line of every systemd unit that starts `folkmoot`."""
    for unit in ROOT.glob("*/*.service"):
        (command,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
        if command.startswith("/opt/folkmoot/bin/folkmoot "):
            yield unit.name, command.removeprefix("/opt/folkmoot/bin/")


def parse(words: list[str]) -> None:
    """Has the real command line read `words`, and does nothing of what they say. Raises a usage error."""
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, words)


@pytest.mark.parametrize(("document", "line"), [*lines(), *units()])
def test_a_command_in_a_document_is_one_that_there_is(document: str, line: str) -> None:
    program, *words = shlex.split(line, comments=True)
    match program:
        case "folkmoot":
            parse(words)
        case "make":
            assert {word for word in words if "=" not in word} <= targets()
        case "pip":
            assert words[0] == "install"
            assert Requirement(words[1]).name == "folkmoot"
        case "python":
            assert (ROOT / words[0]).is_file()
        case _:
            assert program in FOREIGN


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_a_link_in_a_document_leads_somewhere(document: Path) -> None:
    places = [place for place in LINK.findall(document.read_text()) if "://" not in place]
    assert [place for place in places if not (document.parent / place).exists()] == []


def test_ci_runs_what_the_readme_promises() -> None:
    promised = {line.split()[1] for document, line in lines() if document == "README.md" and line.startswith("make ")}
    ran = set(re.findall(r"^step make ([a-z-]+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
    assert promised <= ran


def test_every_figure_names_a_benchmark_that_there_is() -> None:
    named = re.findall(r"`python -m benchmarks\.(\w+)[^`]*` \|$", (ROOT / "docs" / "measurements.md").read_text(), re.MULTILINE)
    assert {name for name in named if not (ROOT / "benchmarks" / f"{name}.py").exists()} == set()


def test_a_variable_in_a_document_is_a_setting() -> None:
    known = {"FOLKMOOT_TOKEN_FILE", "FOLKMOOT_TOKEN", "FOLKMOOT_URL", "FOLKMOOT_DEBUG", "FOLKMOOT_TEST_DATA"} | VARIABLES
    for document in DOCUMENTS:
        named = set(re.findall(r"FOLKMOOT_[A-Z_]*[A-Z]\b", document.read_text()))
        unknown = {name for name in named if name not in known and name.removesuffix("_FILE") not in known}
        assert unknown == set(), document
