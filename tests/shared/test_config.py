from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from folkmoot import config
from folkmoot.errors import UserFault


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    password: str | None = None
    password_file: Path | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    topic: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    folder: Path = Path("data")
    secret: str = ""
    tags: tuple[str, ...] = ()
    quiet: bool = False
    share: float = 0.5
    broker: Broker = Broker()
    upstream: Broker | None = None
    sources: tuple[Source, ...] = ()


def load(tmp_path: Path, text: str, **environment: str) -> Settings:
    file = tmp_path / "x.toml"
    file.write_text(text)
    return config.load(file, Settings, "FM", environment)


def test_a_file_becomes_the_typed_value(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        'name = "a"\ntags = ["x", "y"]\nshare = 1\n[broker]\nhost = "b"\n[upstream]\nport = 7\n[[sources]]\ntopic = "t"',
    )
    assert found == Settings(
        name="a", tags=("x", "y"), share=1.0, broker=Broker(host="b"), upstream=Broker(port=7), sources=(Source(topic="t"),)
    )


def test_the_environment_wins_over_the_file_and_suffices_alone(tmp_path: Path) -> None:
    environment = {"FM_NAME": "e", "FM_BROKER_PORT": "99", "FM_TAGS": "x, y", "FM_QUIET": "true", "FM_UPSTREAM_HOST": "u"}
    expected = {"name": "e", "tags": ("x", "y"), "quiet": True, "upstream": Broker(host="u")}
    assert config.load(None, Settings, "FM", environment) == Settings(broker=Broker(port=99), **expected)
    merged = load(tmp_path, 'name = "a"\n[broker]\nhost = "b"\nport = 1', **environment)
    assert merged == Settings(broker=Broker(host="b", port=99), **expected)


def test_a_variable_ending_in_file_names_where_a_secret_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    found = load(tmp_path, 'name = "a"', FM_SECRET_FILE=str(tmp_path / "secret"))
    assert found.secret == "s3cret"


def test_a_field_of_its_own_that_ends_in_file_is_taken_as_it_is(tmp_path: Path) -> None:
    found = load(tmp_path, 'name = "a"', FM_BROKER_PASSWORD_FILE="/run/secret")
    assert found.broker == Broker(password_file=Path("/run/secret"))


def test_variables_that_set_nothing_are_let_be(tmp_path: Path) -> None:
    assert load(tmp_path, 'name = "a"', FM_SERVICE_HOST="10.0.0.1", FM_PORT="tcp://10.0.0.1").name == "a"


def test_relative_paths_stand_in_the_folder_of_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, 'name = "a"\nfolder = "here"').folder == tmp_path / "here"
    assert load(tmp_path, 'name = "a"\nfolder = "/there"').folder == Path("/there")
    assert load(tmp_path, 'name = "a"\nfolder = "~/x"').folder == Path.home() / "x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "x.toml: name is missing: set it"),
        ('name = "a', "x.toml is no TOML: "),
        ('nmae = "a"', "x.toml: unknown key nmae; known here are broker, folder, name, "),
        (
            'name = "a"\n[broker]\nprot = 1',
            "x.toml: unknown key broker.prot; known here are host, password",
        ),
        ('name = "a"\n[upstream]\nprot = 1', "x.toml: unknown key upstream.prot; known here are host"),
        ('name = "a"\n[[sources]]\ntoipc = 1', "x.toml: unknown key sources.toipc; known here are topic"),
        ('name = "a"\n[[sources]]', "x.toml: sources[0].topic is missing: set it"),
        ('name = "a"\n[broker]\nport = "x"', "x.toml: broker.port: expected a whole number, got text"),
        ('name = "a"\n[broker]\nport = 70000', "x.toml: broker.port: expected a whole number <= 65535"),
        ('name = "a"\nbroker = 3', "x.toml: broker: expected a section, got a whole number"),
        ('name = "a"\nfolder = 3', "x.toml: folder: expected a path, got 3"),
        ("name = true", "x.toml: name: expected text, got true or false"),
    ],
)
def test_a_mistake_in_the_file_is_one_sentence_that_names_the_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserFault) as caught:
        load(tmp_path, text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("FM_BROKER_PORT", "x", "FM_BROKER_PORT='x': expected a whole number, got text"),
        ("FM_QUIET", "perhaps", "FM_QUIET='perhaps': expected true or false, got text"),
        ("FM_SECRET_FILE", "/nowhere/at/all", "FM_SECRET_FILE names /nowhere/at/all, which cannot be read: no such file"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    with pytest.raises(UserFault) as caught:
        load(tmp_path, 'name = "a"', **{name: value})
    assert sentence in str(caught.value)


def test_a_section_that_is_none_is_refused_even_where_the_environment_sets_a_key_of_it(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="broker must be a section"):
        load(tmp_path, 'name = "a"\nbroker = 3', FM_BROKER_PORT="1")


def test_a_missing_file_and_one_that_is_no_text_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="does not exist: write it"):
        config.load(tmp_path / "none.toml", Settings, "FM", {})
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserFault, match="cannot be read: it is not UTF-8"):
        config.load(tmp_path / "bytes.toml", Settings, "FM", {})


def test_every_variable_is_known_by_its_name() -> None:
    names = config.variables(Settings, "FM")
    assert names["FM_BROKER_HOST"] == ("broker", "host")
    assert "FM_SOURCES" not in names
