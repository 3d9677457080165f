"""Settings: one TOML file and the environment, as one typed value, with a sentence for whatever is wrong.

A settings type is a frozen `msgspec.Struct` whose sections are Structs themselves. `FOLKMOOT_GATEWAY_BROKER_HOST` sets `host`
in `[broker]` and wins over the file; `FOLKMOOT_GATEWAY_BROKER_PASSWORD_FILE` names a file that holds the value of `password`
(Docker's secrets, systemd's credentials). Other variables are let be: Kubernetes makes some up for every service.
"""

import os
import tomllib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

from folkmoot.errors import UserFault

T = TypeVar("T", bound=msgspec.Struct)
Environment = Mapping[str, str]

# TOML's own word for each of msgspec's: what a person reads in the file.
_WORDS = {
    "`object`": "a section",
    "`array`": "a list",
    "`str`": "text",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
}


def load(path: Path | None, kind: type[T], prefix: str, environment: Environment = os.environ) -> T:
    """Gives the settings of type `kind` that the file and the environment hold; without a file, the environment alone.

    `prefix` is that of the variables, without the last underscore. Relative paths in the file are relative to its folder.

    Raises UserFault: the file is missing, no TOML, has an unknown key or section, lacks one, or a value is of the wrong kind.
    """
    source = str(path) if path else "the settings"
    tree = _read(path) if path else {}
    _refuse_unknown(tree, kind, source, ())
    home = path.parent if path else Path()
    return _convert(tree, kind, source, home, _overrides(kind, prefix, environment))


def variables(kind: type[msgspec.Struct], prefix: str) -> dict[str, tuple[str, ...]]:
    """Gives the environment variables that set a `kind`, each with the place that it sets, outermost section first."""
    return {"_".join((prefix, *place)).upper(): place for place, _ in _leaves(kind, ())}


def _overrides(kind: type[msgspec.Struct], prefix: str, environment: Environment) -> dict[tuple[str, ...], Any]:
    """Gives what the environment sets: place to a value of the field's type.

    Raises UserFault for a value that the field cannot take, or a `_FILE` that cannot be read.
    """
    names = variables(kind, prefix)
    found: dict[tuple[str, ...], Any] = {}
    for place, form in _leaves(kind, ()):
        name = "_".join((prefix, *place)).upper()
        text = environment.get(name)
        if text is None and (name + "_FILE") not in names and (name + "_FILE") in environment:
            name += "_FILE"
            text = _secret(name, environment[name])
        if text is not None:
            found[place] = _parse(name, text, form)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserFault(f"{path} does not exist: write it, or name another file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserFault(f"{path} cannot be read: {_why(error)}") from None
    except tomllib.TOMLDecodeError as error:
        raise UserFault(f"{path} is no TOML: {error}") from None


def _secret(name: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserFault(f"{name} names {file}, which cannot be read: {_why(error)}") from None


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "").lower() if isinstance(error, OSError) else "it is not UTF-8"


def _parse(name: str, text: str, form: Any) -> Any:
    """Gives the value that `text` means for a field of type `form`; lists are separated by commas."""
    many = any(get_origin(one) in (tuple, list) for one in (form, *get_args(form)))
    plain: Any = [part.strip() for part in text.split(",") if part.strip()] if many else text
    try:
        return msgspec.convert(plain, form, strict=False, dec_hook=_path(Path()))
    except msgspec.ValidationError as error:
        raise UserFault(f"{name}={text!r}: {_plain(str(error))}") from None


def _convert(tree: dict[str, Any], kind: type[T], source: str, home: Path, over: Mapping[tuple[str, ...], Any]) -> T:
    for place, value in over.items():
        section = tree
        for step in place[:-1]:
            section = section.setdefault(step, {})
            if not isinstance(section, dict):
                raise UserFault(f"{source}: {step} must be a section: write [{step}]")
        section[place[-1]] = value
    try:
        return msgspec.convert(tree, kind, dec_hook=_path(home))
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        key = where.rstrip("`").lstrip(".")
        if message.startswith("Object missing required field"):
            missing = message.split("`")[1]
            raise UserFault(f"{source}: {key + '.' if key else ''}{missing} is missing: set it") from None
        raise UserFault(f"{source}: {key}: {_plain(message)}") from None


def _path(home: Path) -> Any:
    """Gives the hook that turns text into a path: `~` is the user's folder, and a relative one stands in `home`."""

    def hook(form: type, value: Any) -> Any:
        if form is Path and isinstance(value, str) and value:
            return home / Path(value).expanduser()
        if isinstance(value, form):
            return value
        raise ValueError(f"Expected a path, got {value!r}")

    return hook


def _plain(message: str) -> str:
    for word, ours in _WORDS.items():
        message = message.replace(word, ours)
    return message[:1].lower() + message[1:]


def _refuse_unknown(tree: Mapping[str, Any], kind: type[msgspec.Struct], source: str, place: tuple[str, ...]) -> None:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in tree.items():
        if key not in fields:
            what = f"unknown key {'.'.join((*place, key))}"
            raise UserFault(f"{source}: {what}; known here are {', '.join(sorted(fields))}")
        section = _section(fields[key])
        for item in value if isinstance(value, list) else [value]:
            if section and isinstance(item, dict):
                _refuse_unknown(item, section, source, (*place, key))


def _leaves(kind: type[msgspec.Struct], place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Gives the place and the type of every field that text can set: all but lists of sections and tables."""
    for field in msgspec.structs.fields(kind):
        here = (*place, field.encode_name)
        section = _section(field.type)
        if section is None:
            if get_origin(field.type) is not dict:
                yield here, field.type
        elif not _listed(field.type):
            yield from _leaves(section, here)


def _section(form: Any) -> type[msgspec.Struct] | None:
    """Gives the Struct that a field of type `form` holds, alone, optionally or in a list; None where it holds none."""
    if isinstance(form, type) and issubclass(form, msgspec.Struct):
        return form
    if get_origin(form) in (Union, types.UnionType, tuple, list):
        return next((found for found in map(_section, get_args(form)) if found), None)
    return None


def _listed(form: Any) -> bool:
    return get_origin(form) in (tuple, list) or any(map(_listed, get_args(form)))
