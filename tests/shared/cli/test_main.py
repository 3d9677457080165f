import socket
from pathlib import Path

import pytest
import typer

from folkmoot import __version__
from folkmoot.errors import FolkmootError, MisuseFault, StoreFault, UserFault
from folkmoot_cli.__main__ import judge
from folkmoot_cli.run import read_option
from tests.kit.command import Command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserFault("say when"), 2),
        (typer.BadParameter("say when"), 2),
        (typer.Abort(), 130),
        (StoreFault("the disk is full"), 1),
        (FolkmootError("the cloud has failed"), 1),
        (OSError(28, "No space left on device"), 1),
        (ZeroDivisionError("division by zero"), 1),
    ],
)
def test_the_exit_code_says_whose_fault_it_is(error: Exception, code: int) -> None:
    sentence, found = judge(error)
    assert found == code
    assert sentence and "\n" not in sentence


def test_a_bug_is_called_one_and_says_how_to_find_it() -> None:
    sentence, _ = judge(MisuseFault("an Ask before\na hello"))
    assert sentence
    sentence, _ = judge(KeyError("lost"))
    assert "a bug of Folkmoot (KeyError: 'lost')" in sentence
    assert "--debug" in sentence


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["rum"], "Did you mean 'run'"),
        (["run", "start"], "--task"),
        (["run", "start", "--task", "x", "--rounds", "0"], "--rounds"),
        (["run", "start", "--task", "x", "--rounds", "ten"], "--rounds"),
        (["demo", "--broker", "post"], "--broker"),
        (["demo", "--wrong"], "--wrong"),
        (["device", "list", "--state", "drunk"], "--state"),
        (["doctor", "--port", "99999"], "--port"),
    ],
)
def test_a_mistake_in_the_options_is_one_sentence(folkmoot: Command, arguments: list[str], hint: str) -> None:
    said = folkmoot(*arguments)
    assert said.code == 2
    assert hint in said.sentence


@pytest.mark.parametrize("command", [["gateway", "run"], ["cloud", "serve"], ["doctor"]])
def test_a_settings_file_that_is_not_there_is_one_sentence(folkmoot: Command, command: list[str]) -> None:
    said = folkmoot(*command, "--config", "nowhere.toml")
    assert (said.code, said.sentence) == (2, "nowhere.toml does not exist: write it, or name another file")


@pytest.mark.parametrize("tier", ["gateway run", "cloud serve"])
def test_an_unknown_key_of_a_settings_file_is_one_sentence(folkmoot: Command, tmp_path: Path, tier: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("colour = 1\n")
    said = folkmoot(*tier.split(), "--config", file)
    assert said.code == 2
    assert "unknown key colour" in said.sentence


def test_a_port_that_is_taken_is_one_sentence(folkmoot: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("FOLKMOOT_CLOUD_DATA", str(tmp_path))
        monkeypatch.setenv("FOLKMOOT_CLOUD_LISTEN_PORT", str(taken.getsockname()[1]))
        said = folkmoot("cloud", "serve")
    assert said.code == 2
    assert "is taken" in said.sentence


def test_a_traceback_is_there_for_those_who_ask(folkmoot: Command) -> None:
    with pytest.raises(UserFault):
        folkmoot("--debug", "doctor", "--config", "nowhere.toml")


def test_the_version_is_told(folkmoot: Command) -> None:
    said = folkmoot("--version")
    assert (said.code, said.out) == (0, f"folkmoot {__version__}\n")


def test_without_a_word_the_help_is_shown(folkmoot: Command) -> None:
    said = folkmoot()
    assert "Usage: folkmoot" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [("mu=0.01", 0.01), ("steps=5", 5), ("nesterov=true", True), ("optimizer=adam", "adam"), ("a=b=c", "b=c"), ("x=", "")],
)
def test_an_option_of_a_strategy_is_read_as_what_it_looks_like(text: str, value: object) -> None:
    name, found = read_option(text)
    assert (name, found, type(found)) == (text.partition("=")[0], value, type(value))


@pytest.mark.parametrize("text", ["mu", "=0.1", ""])
def test_an_option_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(UserFault, match="NAME=VALUE"):
        read_option(text)
