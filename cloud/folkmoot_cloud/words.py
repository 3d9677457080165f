"""The kinds of text and numbers that requests consist of, with the limits that keep them sound in every database."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

# pydantic's patterns are Rust's: `$` is the end there, with no newline after it.
NAME = r"^[a-z0-9-]{1,32}$"
WORD = r"^[a-z][a-z0-9_]{0,31}$"
DIGEST = r"^[0-9a-f]{64}$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
Word = Annotated[str, StringConstraints(pattern=WORD)]
Count = Annotated[int, Field(ge=0, le=(1 << 53) - 1, strict=True)]


def _printable(text: str) -> str:
    """Gives `text` back; PostgreSQL keeps no NUL, and a line break in a name breaks every table that shows it."""
    if not text.isprintable():
        raise ValueError("must be printable characters, on one line")
    return text


Line = Annotated[str, StringConstraints(max_length=100, strip_whitespace=True), AfterValidator(_printable)]


class Input(BaseModel):
    """What a request may say: unknown fields are refused, so that a typo never passes for a default."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class View(BaseModel):
    """What a response says of a row."""

    model_config = ConfigDict(from_attributes=True)


def example(value: dict[str, Any]) -> ConfigDict:
    """Gives the settings of an Input whose documentation shows `value`."""
    return ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [value]})
