"""A device's own examples, in one SQLite file: added by the agent, read by the training process, never sent anywhere.

An example is two byte strings, x and y, as the data contract has them (little-endian, C order); a file holds examples of one
contract. A fixed share of them is held out: training never sees it, evaluation sees nothing else. Which side an example falls
on follows from its bytes, so that the same one, however often it comes, is never on both.
"""

import hashlib
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from folkmoot.errors import StoreFault
from folkmoot.store import disk

Split = Literal["train", "holdout"]
Example = tuple[bytes, bytes]

HOLDOUT = 0.2  # share that is held out: the accuracy on 20 of 100 examples is known to about 0.09
PATIENCE = 5.0  # seconds to wait for another process's transaction; a thousand examples take 10 ms
# KiB of pages that a reader keeps (SQLite's own default is 2,000): an epoch reads each example once, in an order of its own.
READER_CACHE = 256

_SPLITS: tuple[Split, ...] = ("train", "holdout")  # the place is the number in the file
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE fact (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
        """
        CREATE TABLE example (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, split INTEGER NOT NULL, x BLOB NOT NULL, y BLOB NOT NULL
        )
        """,
        "CREATE INDEX example_at ON example (at)",
        "CREATE INDEX example_split ON example (split)",  # a scan of the table itself would read every x
        "CREATE TABLE tally (split INTEGER PRIMARY KEY, examples INTEGER NOT NULL, size INTEGER NOT NULL)",
        "INSERT INTO tally VALUES (0, 0, 0), (1, 0, 0)",
        """
        CREATE TRIGGER example_added AFTER INSERT ON example BEGIN
            UPDATE tally SET examples = examples + 1, size = size + length(new.x) + length(new.y) WHERE split = new.split;
        END
        """,
        """
        CREATE TRIGGER example_dropped AFTER DELETE ON example BEGIN
            UPDATE tally SET examples = examples - 1, size = size - length(old.x) - length(old.y) WHERE split = old.split;
        END
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Retention:
    """What a store keeps at most. 0: no limit."""

    age_ms: int = 0
    size: int = 0  # bytes of all x and y


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is."""

    train: int
    holdout: int
    size: int  # bytes of all x and y


class Examples:
    """The file, open to add to. Other processes may read at the same time (`Reader`)."""

    def __init__(self, path: Path, contract: str, *, holdout: float = HOLDOUT, retention: Retention = Retention()) -> None:
        """Opens or makes the file and brings it to the newest form.

        Raises StoreFault where it is damaged, from a newer program, or holds examples of another contract.
        """
        self._path = path
        self._holdout = holdout
        self._retention = retention
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # a power cut may take the last examples, and nothing else
        except (sqlite3.Error, OSError) as error:
            raise disk.fault(path, error) from None
        try:
            with self._writing():
                self._migrate()
                self._db.execute("INSERT OR IGNORE INTO fact VALUES ('contract', ?)", (contract,))
            if (held := _contract(self._db)) != contract:
                raise StoreFault(f"{path} holds examples of the contract {held}, not of {contract}: give each its own file")
        except StoreFault:
            self._db.close()
            raise

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise StoreFault(f"{self._path} was written by a newer program (form {version}, this one knows {len(_MIGRATIONS)})")
        for statements in _MIGRATIONS[version:]:
            for statement in statements:
                self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def add(self, examples: Iterable[Example], now: int) -> None:
        """Stores examples, all or none of them, then drops the oldest beyond the retention.

        `now`: ms of the node's timeline (folkmoot.clock), which is what an example's age is counted from. Raises StoreFault.
        """
        rows = ((now, _SPLITS.index(split(x, y, self._holdout)), x, y) for x, y in examples)
        with self._writing():
            self._db.executemany("INSERT INTO example (at, split, x, y) VALUES (?, ?, ?, ?)", rows)
            self._drop(now)

    def prune(self, now: int) -> None:
        """Drops what is beyond the retention; to be called now and then while nothing is added. Raises StoreFault."""
        with self._writing():
            self._drop(now)

    def counts(self) -> Counts:
        """Gives how much there is, without looking at any example."""
        return _counts(self._db)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _drop(self, now: int) -> None:
        if self._retention.age_ms:
            self._db.execute("DELETE FROM example WHERE at < ?", (now - self._retention.age_ms,))
        if not self._retention.size:
            return
        excess = _counts(self._db).size - self._retention.size
        oldest = self._db.execute("SELECT id, length(x) + length(y) FROM example ORDER BY id")
        while excess > 0:
            last, size = oldest.fetchone()
            excess -= size
            if excess <= 0:
                self._db.execute("DELETE FROM example WHERE id <= ?", (last,))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, rolled back by any fault; SQLite's own come out as StoreFault."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise disk.fault(self._path, error) from None
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


class Reader:
    """The file, open to read from: takes no lock that would keep the agent from adding."""

    def __init__(self, path: Path) -> None:
        """Opens the file. Raises StoreFault where it is missing, damaged or from a newer program."""
        self._path = path
        try:
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=PATIENCE)
            self._db.execute(f"PRAGMA cache_size = -{READER_CACHE}")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise StoreFault(f"{path}: {error}") from None
        if version != len(_MIGRATIONS):
            self._db.close()
            raise StoreFault(
                f"{path} has form {version}, this program reads {len(_MIGRATIONS)}: start the device's agent first"
            )
        self.contract = _contract(self._db)

    def counts(self) -> Counts:
        """Gives how much there is."""
        return _counts(self._db)

    def ids(self, part: Split) -> "array[int]":
        """Gives the examples on one side by number, oldest first: 8 bytes each, while the examples stay on the disk."""
        rows = self._db.execute("SELECT id FROM example WHERE split = ? ORDER BY id", (_SPLITS.index(part),))
        return array("q", (row[0] for row in rows))

    def read(self, ids: Iterable[int]) -> list[Example]:
        """Gives these examples in this order, without those that the retention has dropped meanwhile. Raises StoreFault."""
        found = []
        try:
            for number in ids:
                row = self._db.execute("SELECT x, y FROM example WHERE id = ?", (number,)).fetchone()
                if row is not None:
                    found.append((bytes(row[0]), bytes(row[1])))
        except sqlite3.Error as error:
            raise StoreFault(f"{self._path}: {error}") from None
        return found

    def close(self) -> None:
        """Closes the file."""
        self._db.close()


def split(x: bytes, y: bytes, holdout: float = HOLDOUT) -> Split:
    """Gives the side that an example falls on: held out where its sha256, as a fraction of 2^64, is below the share."""
    place = int.from_bytes(hashlib.sha256(x + y).digest()[:8], "big")
    return "holdout" if place < holdout * 2**64 else "train"


def _contract(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT value FROM fact WHERE name = 'contract'").fetchone()
    return str(row[0]) if row else ""


def _counts(db: sqlite3.Connection) -> Counts:
    (train, a), (holdout, b) = db.execute("SELECT examples, size FROM tally ORDER BY split").fetchall()
    return Counts(train, holdout, a + b)
