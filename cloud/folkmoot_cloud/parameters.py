"""What requests say in their addresses: ids, and which page of a list they want."""

from typing import Annotated

from fastapi import Path, Query

from folkmoot_cloud.pages import MOST, Window, read
from folkmoot_cloud.words import DIGEST, NAME

Id = Annotated[str, Path(pattern=NAME, description="Its id.", examples=["ageiy5yvsz3i5h4a2bqw6yhfwi"])]
Digest = Annotated[str, Path(pattern=DIGEST, description="sha256, hexadecimal.", examples=["0" * 64])]


def window(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Rows of the page at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=300, description="`next` of the page before.")] = None,
) -> Window:
    """Gives which page a request wants. Raises Fault for a cursor that we never gave."""
    return Window(limit, None if cursor is None else read(cursor))
