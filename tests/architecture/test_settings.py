"""Every key of every settings file stands in its tier's README, with the default that it really has."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from folkmoot import config
from folkmoot_device import fleet
from tests.architecture.conftest import ROOT

TIERS = ("cloud", "gateway", "device")
ROW = re.compile(r"^\| `([a-z_.]+)` \| (?:(?:`([^`]*)`|(required)) )?\|", re.MULTILINE)


def documented(tier: str) -> dict[str, str]:
    """Gives the keys in the README's table, each with the default that it states: empty for none, "required"."""
    text = (ROOT / tier / "README.md").read_text().partition("## Settings")[2]
    return {key: default or required for key, default, required in ROW.findall(text)}


def defaults(kind: type[msgspec.Struct], place: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yields every key of a settings type with its default as the README writes it."""
    for field in msgspec.structs.fields(kind):
        here = (*place, field.encode_name)
        if isinstance(field.default, msgspec.Struct):
            yield from values(field.default, here)
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from defaults(field.type, here)
        else:
            yield ".".join(here), "required" if field.required else text(field.default)


def values(section: msgspec.Struct, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yields every key of a section with what it holds where a settings file leaves it away."""
    for field in msgspec.structs.fields(type(section)):
        yield ".".join((*place, field.encode_name)), text(getattr(section, field.name))


def text(value: Any) -> str:
    """Gives a default as a person writes it in TOML, without quotes."""
    if value is None or value == ():
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("tier", TIERS)
def test_the_readme_of_a_tier_tells_every_key_and_its_default(tier: str) -> None:
    kind = importlib.import_module(f"folkmoot_{tier}.settings").Settings
    assert documented(tier) == dict(defaults(kind))


@pytest.mark.parametrize("tier", TIERS)
def test_every_documented_key_can_be_set_by_a_variable(tier: str) -> None:
    kind = importlib.import_module(f"folkmoot_{tier}.settings").Settings
    settable = {".".join(place) for place in config.variables(kind, "X").values()}
    assert {key for key in documented(tier) if key not in settable} == set()


def test_the_readme_of_the_device_tells_every_variable_of_the_simulator_but_those_of_its_broker() -> None:
    told = set(re.findall(r"\bFOLKMOOT_FLEET_[A-Z_]*[A-Z]\b", (ROOT / "device" / "README.md").read_text()))
    known = config.variables(fleet.Settings, fleet.PREFIX)
    assert {name for name, place in known.items() if place[0] != "home"} <= told
