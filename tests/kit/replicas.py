"""A town whose cloud is several processes on one PostgreSQL, which can be taken away and brought back."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from folkmoot.link.broker import free_port
from folkmoot.wire.topics import Tree
from tests.kit import postgres
from tests.kit.postgres import Cluster
from tests.kit.processes import Process, Town

# What is committed outlives the server's processes, which is what these tests kill; the disk itself is not waited for.
LASTING = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")


@contextmanager
def server() -> Iterator[Cluster]:
    """Gives a PostgreSQL that keeps what it has committed when it is killed."""
    bin = postgres.programs()
    assert bin is not None, "PostgreSQL is missing: `apt-get install postgresql`, or `make test`, which does it"
    with postgres.running(bin, LASTING) as cluster:
        yield cluster


@contextmanager
def away(cluster: Cluster) -> Iterator[None]:
    """Has the server gone while the block lasts: killed, as by an accident, and started again."""
    _control(cluster, "stop", "-m", "immediate")
    yield
    options = [
        part for one in (*LASTING, "listen_addresses=", f"unix_socket_directories={cluster.folder}") for part in ("-c", one)
    ]
    _control(cluster, "start", "-w", "-l", str(cluster.folder / "again.log"), "-o", " ".join(options))


@contextmanager
def ended(cluster: Cluster) -> Iterator[None]:
    """Ends a server that was started again, when the block has ended."""
    try:
        yield
    finally:
        _control(cluster, "stop", "-m", "immediate")


def _control(cluster: Cluster, *words: str) -> None:
    bin = postgres.programs()
    assert bin is not None
    owner = {"user": postgres.USER, "group": postgres.USER, "extra_groups": []} if os.geteuid() == 0 else {}
    command = [bin / "pg_ctl", "-D", cluster.folder / "data", *words]
    # A file, not a pipe: the server that `start` leaves behind would hold a pipe open.
    with (cluster.folder / "control.log").open("ab") as said:
        subprocess.run(command, check=True, stdout=said, stderr=said, cwd=cluster.folder, **owner)  # type: ignore[call-overload]


class Twins(Town):
    """A town with two clouds, `one` and `two`; the second is started by `join`."""

    def __init__(self, folder: Path, homes: Mapping[str, list[str]], cluster: Cluster) -> None:
        super().__init__(folder, homes)
        self.cluster = cluster
        self.clouds: dict[str, Process] = {}
        self.apis: dict[str, httpx.Client] = {}

    def _make_cloud(self) -> None:
        self.database = asyncio.run(self.cluster.create())
        for name in ("one", "two"):
            port = free_port()
            file = self.folder / f"{name}.toml"
            file.write_text(
                f'replica = "{name}"\ndata = "{self.folder / "cloud"}"\n'
                f"[listen]\nport = {port}\n"
                f'[database]\nurl = "{self.cluster.url(self.database)}"\n'
                f"[broker]\nport = {self.brokers['cloud'].port}\nkeepalive_seconds = 30\n"
                f'[tokens]\nbootstrap_file = "{self.folder / "token"}"\n'
            )
            command = [sys.executable, "-m", "folkmoot_cli", "cloud", "serve", "--config", str(file)]
            self.clouds[name] = Process(name, command, self.folder)
            self.apis[name] = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
            if name == "one":
                self._port = port
        self.cloud = self.clouds["one"]
        self._stack.callback(self.clouds["two"].stop)

    def join(self) -> None:
        """Starts the second replica, and waits until the two share the shards."""
        self.clouds["two"].start()
        for api in self.apis.values():
            api.headers = self.api.headers
        self.until(lambda: self.shares() == {"one": 128, "two": 128})
        self._processes = [*self.processes(), self.clouds["two"]]

    def answers(self, name: str) -> bool:
        """Whether this replica's API is there."""
        return self._answers(str(self.apis[name].base_url))

    def turn_to(self, name: str) -> None:
        """Asks this replica from now on."""
        self.api = self.apis[name]

    # What the database says.

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Gives the rows of a query."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(host=str(self.cluster.folder), user=postgres.USER, database=self.database)
            try:
                return list(await connection.fetch(query, *values))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def shares(self) -> dict[str, int]:
        """Gives how many shards each replica holds."""
        return {row["owner"]: row["n"] for row in self.rows("SELECT owner, count(*) AS n FROM leases GROUP BY owner")}

    def holder(self, run: str) -> str:
        """Gives the replica that holds a run."""
        return str(self.rows("SELECT owner FROM leases WHERE shard = $1", Tree().shard(run))[0]["owner"])
