"""One node's durable memory in one SQLite file: the journal of its machines, the answers that it keeps, and its counters.

A batch is one transaction. A firm one is on the disk when `commit` returns; a soft one survives the death of the process, and a
power cut may take it back, which costs nothing that anybody was told ok for.
"""

import os
import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from folkmoot.errors import StoreFault
from folkmoot.hop import events, member
from folkmoot.hop.answers import PREFIX as MEMBER
from folkmoot.hop.batch import Batch, Event
from folkmoot.store import disk
from folkmoot.wire import codec

SCHEMA = 1  # of the encoding of events
# A payload up to this size lives in the transaction itself; a larger one is a file, synced before the transaction. As a row it
# would be written twice, to the log and at the next checkpoint, and read as a whole for every piece that is cut out of it.
INSIDE = 1 << 16
_PAYLOAD = re.compile("[0-9a-f]{64}")
NEW = ".new"  # ends the name of a file that is not whole yet
EVENT_LIMIT = 16 << 20  # bytes of one journalled event: an Opened lists every member

_MIGRATIONS = (
    """
    CREATE TABLE event (id INTEGER PRIMARY KEY, machine TEXT NOT NULL, now INTEGER NOT NULL, schema INTEGER NOT NULL,
                        event BLOB NOT NULL);
    CREATE INDEX event_machine ON event (machine, id);
    CREATE TABLE payload (owner TEXT NOT NULL, sha256 BLOB NOT NULL, content BLOB, PRIMARY KEY (owner, sha256)) WITHOUT ROWID;
    CREATE TABLE fact (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    """,
)


class Ledger:
    """The file, open. One thread, one process: a second process that opens it is refused."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file and brings it to the newest form.

        Raises StoreFault where it is damaged, from a newer program, held by another process, or the disk does not do.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files = path.parent / "payloads"
            self._files.mkdir(exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0.2)
        except (sqlite3.Error, OSError) as error:
            raise disk.fault(path, error) from None
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA wal_autocheckpoint = 256")
            self._migrate()
            self._sweep([bytes.fromhex(left.stem) for left in self._files.iterdir() if _PAYLOAD.fullmatch(left.stem)])
        except (sqlite3.Error, OSError) as error:
            self._db.close()
            locked = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            raise StoreFault(f"{path}: another process uses it") if locked else disk.fault(path, error) from None
        except StoreFault:
            self._db.close()
            raise
        self._firm = True

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise StoreFault(f"{self._path} was written by a newer program (form {version}, this one knows {len(_MIGRATIONS)})")
        for number, script in enumerate(_MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")

    def commit(self, batches: Collection[Batch], facts: Mapping[str, Any], firm: bool = False) -> None:
        """Stores batches and `facts` (name to int, float, text or bytes), all or nothing.

        `firm`: on the disk when this returns, as if one of the batches were firm. Raises StoreFault (disk full, I/O error):
        nothing of the batches is stored, and nothing of them may be done.
        """
        firm = firm or any(batch.firm for batch in batches)
        large = [keep for batch in batches for keep in batch.payloads if len(keep.content) > INSIDE]
        try:
            for keep in large:
                self._write(keep.payload, keep.content)
            if large:
                disk.enter(self._files)
            if firm != self._firm:
                self._db.execute(f"PRAGMA synchronous = {'FULL' if firm else 'NORMAL'}")
                self._firm = firm
            self._db.execute("BEGIN IMMEDIATE")
            orphans = [orphan for batch in batches for orphan in self._store(batch)]
            self._db.executemany("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", facts.items())
            self._db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            with suppress(sqlite3.Error, OSError):  # what is left is swept when the file is opened again
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._sweep([keep.payload for keep in large])
            raise disk.fault(self._path, error) from None
        with suppress(sqlite3.Error, OSError):  # the batch is stored; what is left of the files is swept as above
            self._sweep(orphans)

    def _store(self, batch: Batch) -> list[bytes]:
        """Writes the rows of one batch; gives the payloads whose files may go when the transaction stands."""
        run = self._each
        orphans = [
            row[0]
            for owner in batch.forgets
            for row in self._db.execute("SELECT sha256 FROM payload WHERE owner = ? AND content IS NULL", (owner,))
        ]
        orphans += [payload for _, payload in batch.drops]
        run("DELETE FROM payload WHERE owner = ? AND sha256 = ?", batch.drops)
        run("DELETE FROM payload WHERE owner = ?", [(owner,) for owner in batch.forgets])
        run("DELETE FROM event WHERE machine = ?", [(owner,) for owner in batch.forgets])
        rows = [(key, batch.now, SCHEMA, codec.dump(event)) for key, event in batch.rows]
        run("INSERT INTO event (machine, now, schema, event) VALUES (?, ?, ?, ?)", rows)
        run(
            "INSERT OR REPLACE INTO payload (owner, sha256, content) VALUES (?, ?, ?)",
            [(keep.owner, keep.payload, keep.content if len(keep.content) <= INSIDE else None) for keep in batch.payloads],
        )
        return orphans

    def _each(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Executes a statement for each row. Of the five of a batch most have none, and even that takes SQLite a while."""
        if rows:
            self._db.executemany(statement, rows)

    def _write(self, payload: bytes, content: bytes) -> None:
        path = self._files / payload.hex()
        fresh = path.with_suffix(NEW)
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def histories(self) -> Iterator[tuple[str, list[tuple[int, Event]]]]:
        """Gives every machine that is not forgotten: its key, and its events with their times, oldest first.

        Raises StoreFault for an event that this program cannot read.
        """
        for key in self.machines():
            with self._reading():
                rows = self._db.execute("SELECT now, schema, event FROM event WHERE machine = ? ORDER BY id", (key,)).fetchall()
            yield key, [(now, _event(key, schema, event)) for now, schema, event in rows]

    def machines(self) -> list[str]:
        """Gives the keys of every machine that is not forgotten, oldest first. Raises StoreFault."""
        with self._reading():
            return [row[0] for row in self._db.execute("SELECT machine FROM event GROUP BY machine ORDER BY min(id)")]

    def payload(self, owner: str, payload: bytes) -> bytes | None:
        """Gives a kept payload, or None where it was never kept, was forgotten, or is damaged. Raises StoreFault."""
        with self._reading():
            row = self._db.execute("SELECT content FROM payload WHERE owner = ? AND sha256 = ?", (owner, payload)).fetchone()
            if row is None:
                return None
            if row[0] is not None:
                return bytes(row[0])
            with suppress(FileNotFoundError):
                content = (self._files / payload.hex()).read_bytes()
                return content if codec.digest(content) == payload else None
            return None

    def piece(self, owner: str, payload: bytes, start: int, size: int) -> bytes | None:
        """Gives `size` bytes of a kept payload from `start` on, not compared with its sha256; None where they are not there.

        Raises StoreFault.
        """
        found = b""
        with self._reading():
            select = "SELECT substr(content, ?, ?) FROM payload WHERE owner = ? AND sha256 = ?"
            row = self._db.execute(select, (start + 1, size, owner, payload)).fetchone()
            if row is not None and row[0] is not None:
                found = bytes(row[0])
            elif row is not None:
                with suppress(FileNotFoundError), (self._files / payload.hex()).open("rb") as file:
                    file.seek(start)
                    found = file.read(size)
        return found if len(found) == size else None

    def fact(self, name: str, default: Any = None) -> Any:
        """Gives a stored fact. Raises StoreFault."""
        with self._reading():
            row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return default if row is None else row[0]

    def count(self, name: str) -> int:
        """Gives the next number of a counter that never goes back, already on the disk: births, boots."""
        value = int(self.fact(name, 0)) + 1
        self.commit((), {name: value}, firm=True)
        return value

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What SQLite or the disk says comes out as StoreFault."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise disk.fault(self._path, error) from None

    def _sweep(self, orphans: list[bytes]) -> None:
        """Removes the files of payloads that nobody owns any more, and what was begun of them."""
        for payload in orphans:
            (self._files / payload.hex()).with_suffix(NEW).unlink(missing_ok=True)
            if not self._db.execute("SELECT 1 FROM payload WHERE sha256 = ?", (payload,)).fetchone():
                (self._files / payload.hex()).unlink(missing_ok=True)


def _event(key: str, schema: int, event: bytes) -> Event:
    if schema > SCHEMA:
        raise StoreFault(f"{key} was journalled by a newer program (schema {schema}, this one knows {SCHEMA})")
    if key.startswith(MEMBER):
        return codec.load(event, member.Event, limit=EVENT_LIMIT)  # type: ignore[arg-type]
    return codec.load(event, events.Event, limit=EVENT_LIMIT)  # type: ignore[arg-type]
