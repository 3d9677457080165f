"""Whether the links of a node stand, for whoever keeps it running: `python -m folkmoot.serve.health FOLDER`, as images do.

The node writes a line for a link when it comes or goes, and at no other time: a card in a Pi wears out. Exit code 0: every link
of every node below the folder stands. A node that is dead is not looked for here; its supervisor knows that by itself.
"""

import sys
from contextlib import suppress
from pathlib import Path

import msgspec

FILE = "links.json"


class Health:
    """Keeps the file of one node up to date."""

    def __init__(self, folder: Path) -> None:
        """Starts with no link; the folder must be there."""
        self._file = folder / FILE
        self._standing: dict[str, bool] = {}

    def note(self, hop: str, standing: bool) -> None:
        """Takes that the link of a hop has come or gone."""
        if self._standing.get(hop) is not standing:
            self._standing[hop] = standing
            # Where this cannot be stored nothing can: the ledger says so, and is where it matters.
            with suppress(OSError):
                fresh = self._file.with_suffix(".new")
                fresh.write_bytes(msgspec.json.encode(self._standing))
                fresh.replace(self._file)


def missing(folder: Path) -> list[str]:
    """Gives the links that do not stand, and that there is no node where there is none."""
    files = sorted(folder.rglob(FILE))
    if not files:
        return [f"no node keeps anything in {folder}"]
    return [
        f"{file.parent}: the link {hop} is down"
        for file in files
        for hop, standing in msgspec.json.decode(file.read_bytes(), type=dict[str, bool]).items()
        if not standing
    ]


if __name__ == "__main__":
    found = missing(Path(sys.argv[1]))
    print("\n".join(found) or "every link stands")
    sys.exit(1 if found else 0)
