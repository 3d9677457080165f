"""Plug-ins by name: the files of a plural folder are the plug-ins of the seam that the singular module describes.

A file `folkmoot/strategies/fedavg.py` with `Options` and `make` is the strategy `fedavg`; nothing else registers it. A name
that is no file in our folder loads nothing, so a name may come off the wire. Operators add plug-ins of their own with an entry
point (group `folkmoot.strategies`), which counts only where local settings ask for it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import msgspec

from folkmoot.errors import UserFault

_HERE = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a plug-in's `Options`, as its reader is told of it."""

    name: str
    default: Any
    description: str
    values: str  # which ones it takes: "0 < number <= 10", "adam, yogi"


@dataclass(frozen=True, slots=True)
class Description:
    """What the documentation says of a plug-in."""

    name: str
    summary: str  # the first line of the module's docstring
    options: tuple[Option, ...]


def kinds() -> list[str]:
    """Gives the folders that hold plug-ins: those whose singular is a module, the seam."""
    found = {module.name: module.ispkg for module in iter_modules([str(_HERE)])}
    return sorted(name for name, folder in found.items() if folder and found.get(_singular(name)) is False)


def names(kind: str, *, outside: bool = False) -> list[str]:
    """Gives the plug-ins of a kind, sorted; those of other distributions only with `outside`, which the wire never sets.

    Raises UserFault for a kind that is none.
    """
    if kind not in kinds():
        raise UserFault(f"there are no {kind!r}; the kinds of plug-ins are {', '.join(kinds())}")
    ours = {module.name for module in iter_modules([str(_HERE / kind)]) if _NAME.fullmatch(module.name)}
    return sorted(ours | _foreign(kind).keys() if outside else ours)


def load(kind: str, name: str, options: Mapping[str, object] | None = None, *, outside: bool = False) -> Any:
    """Gives the plug-in `name`, made with `options`; what they leave out has its default.

    `kind` is "strategies", "screens" or another of `kinds()`, and the value is what the seam of that name describes. Raises
    UserFault, which names what there is, for a name that is unknown and an option that is unknown or does not hold.
    """
    module = _module(kind, name, outside)
    chosen = dict(options or {})
    known = {option.name: option for option in _options(module)}
    for option in sorted(chosen.keys() - known):
        others = f"its options are {', '.join(known)}" if known else "it has no options"
        raise UserFault(f"{_singular(kind)} {name} has no option {option!r}; {others}")
    try:
        return module.make(msgspec.convert(chosen, module.Options))
    except msgspec.ValidationError as error:
        wrong = known[str(error).partition("`$.")[2].partition("`")[0]]
        raise UserFault(
            f"{_singular(kind)} {name}: {wrong.name} is {chosen[wrong.name]!r}; it takes {wrong.values} ({wrong.description})"
        ) from None


def describe(kind: str, name: str, *, outside: bool = False) -> Description:
    """Gives what `name` is and which options it takes. Raises UserFault for a name that is unknown."""
    module = _module(kind, name, outside)
    return Description(name, (getdoc(module) or "").partition("\n")[0], _options(module))


@lru_cache
def _module(kind: str, name: str, outside: bool) -> ModuleType:
    known = names(kind, outside=outside)
    if name not in known:
        raise UserFault(f"there is no {_singular(kind)} {name!r}; there are {', '.join(known)}")
    if (_HERE / kind / f"{name}.py").is_file():
        return import_module(f"folkmoot.{kind}.{name}")
    return import_module(_foreign(kind)[name])


def _foreign(kind: str) -> dict[str, str]:
    """Gives the plug-ins of other distributions: name to module. A name of ours stays ours."""
    # Imported here, for it takes 2 MiB, and a training process, which loads our own plug-ins alone, has no use for it.
    points = import_module("importlib.metadata").entry_points(group=f"folkmoot.{kind}")
    return {point.name: point.module for point in points if _NAME.fullmatch(point.name)}


@lru_cache
def _options(module: ModuleType) -> tuple[Option, ...]:
    _, components = msgspec.json.schema_components([module.Options])
    properties = components[module.Options.__name__].get("properties", {})
    return tuple(
        Option(field.name, field.default, properties[field.name].get("description", ""), _values(properties[field.name]))
        for field in msgspec.structs.fields(module.Options)
    )


def _values(schema: Mapping[str, Any]) -> str:
    """Gives the values that a schema admits, in words."""
    if "anyOf" in schema:
        return " or ".join(_values(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    kind = {"integer": "whole number", "boolean": "true or false", "string": "text", "null": "nothing"}
    low, high = ("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")
    below = "".join(f"{schema[key]} {sign} " for key, sign in zip(low, ("<", "<="), strict=True) if key in schema)
    above = "".join(f" {sign} {schema[key]}" for key, sign in zip(high, ("<", "<="), strict=True) if key in schema)
    return below + kind.get(schema.get("type", ""), "number") + above


def _singular(kind: str) -> str:
    return f"{kind.removesuffix('ies')}y" if kind.endswith("ies") else kind.removesuffix("s")
