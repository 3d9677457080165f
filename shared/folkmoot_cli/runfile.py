"""RUN.toml: a run as `POST /v1/runs` takes it, in a file."""

import tomllib
from pathlib import Path
from typing import Any

from folkmoot.errors import UserFault
from folkmoot_cli.api import Json


def load(path: Path) -> Json:
    """Gives what a file says of a run; whether that can be one, is the cloud's to say.

    Raises UserFault where it cannot be read, is no TOML, or holds what no run takes.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserFault(f"{path} does not exist: write it, or name another file") from None
    except OSError as error:
        raise UserFault(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError:
        raise UserFault(f"{path} cannot be read: it is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UserFault(f"{path} is no TOML: {error}") from None
    if strange := _strange(found, ()):
        raise UserFault(f"{path}: {strange} is a date or a time, which no setting of a run is")
    return found


def changed(body: Json, fields: Json, **tables: Json) -> Json:
    """Gives a run with other values where they are given: of fields, and of the fields of tables.

    Another strategy does not take over the options of the first. Raises UserFault where no task is named.
    """
    found = {**body, **_given(fields)}
    for name, values in tables.items():
        if given := _given(values):
            before = {} if "name" in given or not isinstance(body.get(name), dict) else body[name]
            found[name] = {**before, **given}
    if "task" not in found:
        raise UserFault("say which task: --task, or `task` in the file of the run")
    return found


def _given(values: Json) -> Json:
    return {name: value for name, value in values.items() if value not in (None, [], {})}


def _strange(value: Any, place: tuple[str, ...]) -> str:
    """Gives where something stands that JSON does not have; "" for nowhere."""
    if isinstance(value, dict):
        return next((found for name, one in value.items() if (found := _strange(one, (*place, name)))), "")
    if isinstance(value, list):
        return next((found for one in value if (found := _strange(one, place))), "")
    return "" if isinstance(value, bool | int | float | str) else ".".join(place)
