"""Names as a report shows them: they come from people's files, and may hold anything."""

import itertools
from collections.abc import Sequence

from folkmoot.simulate.result.tables import Result

ROW = 28  # characters of a name in a picture
NAME = 40  # of a scenario's: what tells it from another of the same name stands behind it
LEGEND = 80  # of one in a legend or above a panel


def plain(text: str) -> str:
    """Gives a text in one line and without what no page can show: control characters, halves of characters."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def short(text: str, longest: int) -> str:
    """Gives a text with at most so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def shown(name: str, longest: int = ROW) -> str:
    """Gives a name as a picture shows it: short, and no formula to matplotlib, which reads one between dollars."""
    return short(plain(name), longest).replace("$", r"\$")


def labels(results: Sequence[Result]) -> list[str]:
    """Gives a name for each result, no two the same: the scenario's, where that is not enough its seed too, then a number."""
    names = [short(plain(one.name), NAME) or "(no name)" for one in results]
    found: list[str] = []
    for name, result in zip(names, results, strict=True):
        text = name if names.count(name) == 1 else f"{name}, seed {result.seed}"
        numbered = (f"{text} ({number})" for number in itertools.count(2))
        found.append(next(one for one in itertools.chain([text], numbered) if one not in found))
    return found
