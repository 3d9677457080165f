"""A real PostgreSQL of our own: a cluster in a temporary folder, reached by a socket in it, gone when the tests are."""

import getpass
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg
import pytest

USER = "postgres"  # who runs it, where we are root: PostgreSQL refuses to
# Nothing here must survive a power cut, so nothing waits for the disk.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")
# What is to survive the server's own death is handed to the kernel at each commit.
LASTING = (*QUICK, "synchronous_commit=on")


def programs() -> Path | None:
    """Gives the folder of the newest PostgreSQL's programs; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Cluster:
    """A running server, started anew as often as one likes."""

    def __init__(self, folder: Path, command: Sequence[str | Path]) -> None:
        self.folder = folder
        self._command = command
        self._numbers = count(1)
        self._server: subprocess.Popen[str]

    def start(self) -> None:
        """Starts it and returns when it takes connections."""
        as_owner = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
        self._server = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True, cwd=self.folder, **as_owner)  # type: ignore[call-overload]
        said = []
        for line in self._server.stderr or ():
            said.append(line)
            if "ready to accept connections" in line:
                break
        else:
            raise AssertionError("PostgreSQL did not start:\n" + "".join(said))
        assert self._server.stderr is not None
        threading.Thread(target=self._server.stderr.read, daemon=True).start()  # or it would block on a full pipe

    def end(self) -> None:
        """Ends it at once (SIGQUIT): nobody is told, and the next start recovers from the log."""
        self._server.send_signal(3)
        self._server.wait()

    def url(self, database: str) -> str:
        """Gives how the cloud reaches a database in it."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    async def create(self, template: str = "template0") -> str:
        """Makes a database, a copy of `template`, and gives its name."""
        name = f"t{next(self._numbers)}"
        await self.run(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        return name

    async def drop(self, database: str) -> None:
        """Removes a database, whoever is still connected to it."""
        await self.run(f"DROP DATABASE {database} WITH (FORCE)")

    async def run(self, statement: str, database: str = "postgres") -> None:
        """Executes SQL in a database."""
        connection = await asyncpg.connect(host=str(self.folder), user=USER, database=database)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def running(bin: Path, settings: Sequence[str] = QUICK) -> Iterator[Cluster]:
    """Gives a cluster while the block lasts. It dies with the block, however it ends."""
    owner = USER if os.geteuid() == 0 else getpass.getuser()
    as_owner = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as made:  # short: a socket's path is
        folder = Path(made)
        shutil.chown(folder, owner)
        data = folder / "data"
        initdb = [bin / "initdb", "--pgdata", data, "--username", USER, "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **as_owner)  # type: ignore[call-overload]
        options = [
            part for one in (*settings, "listen_addresses=", f"unix_socket_directories={folder}") for part in ("-c", one)
        ]
        cluster = Cluster(folder, [bin / "postgres", "-D", data, *options])
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """Gives the one cluster of a test run."""
    bin = programs()
    if bin is None:
        if Path("/etc/debian_version").exists():
            pytest.fail("PostgreSQL is missing: `apt-get install postgresql`, or `make test`, which does it")
        pytest.skip("there is no PostgreSQL here (initdb is not on PATH)")
    with running(bin) as cluster:
        yield cluster
