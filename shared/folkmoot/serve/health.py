"""Whether a node is well, for whoever keeps it running: `python -m folkmoot.serve.health FOLDER`, as images do.

The node writes it down when a link comes or goes, or its disk has no room, and at no other time: a card in a Pi wears out. Exit
code 0: every link of every node below the folder stands, and each can store. A node that is dead is not looked for here; its
supervisor knows that by itself.
"""

import sys
from contextlib import suppress
from pathlib import Path

import msgspec

FILE = "links.json"
SIZE = 512  # bytes of it, filled up with spaces: a state may take the place of another one where there is no room for a file


class _Kept(msgspec.Struct):
    """What the file says."""

    links: dict[str, bool]
    why_not: str = ""  # why the node does not work


class Health:
    """Keeps the file of one node up to date."""

    def __init__(self, folder: Path) -> None:
        """Starts with no link; the folder must be there."""
        self._file = folder / FILE
        self._standing: dict[str, bool] = {}
        self._why = ""

    def note(self, hop: str, standing: bool) -> None:
        """Takes that the link of a hop has come or gone."""
        if self._standing.get(hop) is not standing:
            self._standing[hop] = standing
            self._write()

    def hinder(self, why: str) -> None:
        """Takes that the node can store nothing; the next life, which begins anew, can."""
        self._why = why
        self._write()

    def _write(self) -> None:
        """Stores it, on a full disk in the bytes that the file has already; where nothing can be stored, not even that."""
        content = msgspec.json.encode(_Kept(self._standing, self._why)).ljust(SIZE)
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_bytes(content)
            fresh.replace(self._file)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            with suppress(OSError), self._file.open("r+b") as file:
                file.write(content)


def missing(folder: Path) -> list[str]:
    """Gives the links that do not stand, what hinders a node, and that there is no node where there is none."""
    files = sorted(folder.rglob(FILE))
    if not files:
        return [f"no node keeps anything in {folder}"]
    found = []
    for file in files:
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
        found += [f"{file.parent}: {kept.why_not}"] if kept.why_not else []
        found += [f"{file.parent}: the link {hop} is down" for hop, standing in kept.links.items() if not standing]
    return found


if __name__ == "__main__":
    found = missing(Path(sys.argv[1]))
    print("\n".join(found) or "every link stands")
    sys.exit(1 if found else 0)
