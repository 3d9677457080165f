"""Homes on a Ray cluster: two nodes, an actor on each, and the same tables as without.

All that has to do with Ray is done in processes of their own: it has threads, beside which a fork may wait for ever, and other
tests fork; and it does not take a process from one cluster to another.
"""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from folkmoot.errors import UserFault
from folkmoot.simulate.result import store
from folkmoot.simulate.scenario.crew import Died
from folkmoot.simulate.scenario.play import play
from tests.shared.simulate.scenario.test_play import scenario

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'folkmoot[ray]'"),
]

NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}  # bytes: about the least that Ray takes


def apart(what: Callable[..., Any], *given: Any) -> Any:
    """Gives what a function gives, or raises what it raises, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(what, *given).result(timeout=250)


def _nodes(pipe: Connection, folder: str) -> None:
    """Has a cluster of two nodes with a CPU each, on ports of their own, until the other end of the pipe is closed."""
    made = import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args={**NODE, "temp_dir": folder})
    try:
        made.add_node(**NODE, temp_dir=folder)
        pipe.send(made.address)
        pipe.poll(None)
    finally:
        made.shutdown()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Gives the address of a cluster of two nodes."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    # Not pytest's own folder: the path of a socket has 107 bytes at most.
    with TemporaryDirectory(prefix="ray") as folder, pytest.MonkeyPatch.context() as patched:
        (Path(folder) / "ray").mkdir()  # where a cluster writes down its address: without it, in /tmp/ray, which others have
        patched.setenv("RAY_TMPDIR", folder)
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        process = context.Process(target=_nodes, args=(theirs, folder))
        process.start()
        theirs.close()
        try:
            assert ours.poll(120)
            yield ours.recv()
        finally:
            ours.close()
            process.join(60)
    assert process.exitcode == 0


def _play(address: str, workers: int | None, folder: Path, fields: dict[str, object]) -> list[str]:
    """Plays the small scenario on the cluster, and leaves its tables in a folder; gives the node of each actor."""
    cluster = import_module("folkmoot.simulate.scenario.cluster")
    with cluster.connected(address, workers) as (hire, count):
        crews: list[Any] = []

        def noted(*given: Any) -> Any:
            crews.extend(hire(*given))
            return crews

        store.write(play(scenario(**fields), count, hire=noted), folder, "csv")
        return [one.node for one in crews]


def _kill(address: str) -> None:
    """Plays it with an actor that is killed before it has done anything."""
    cluster = import_module("folkmoot.simulate.scenario.cluster")
    with cluster.connected(address, 1) as (hire, count):

        def doomed(*given: Any) -> Any:
            (one,) = hire(*given)
            one.end()
            one.leave()
            return [one]

        play(scenario(), count, hire=doomed)


def _sentence(address: str) -> str:
    """Gives what is said of an address where no cluster is."""
    cluster = import_module("folkmoot.simulate.scenario.cluster")
    try:
        with cluster.connected(address, None):
            return ""
    except UserFault as fault:
        return str(fault)


def test_actors_on_two_nodes_give_the_same_tables_to_the_byte(address: str, tmp_path: Path) -> None:
    nodes = apart(_play, address, None, tmp_path / "ray", {})
    assert len(nodes) == len(set(nodes)) == 2
    assert all(nodes)
    store.write(play(scenario(), 0), tmp_path / "here", "csv")
    for table in ("rounds", "members", "devices"):
        assert (tmp_path / "ray" / f"{table}.csv").read_bytes() == (tmp_path / "here" / f"{table}.csv").read_bytes()


@pytest.mark.parametrize("alone", [False, True], ids=["of two nodes", "of this machine alone"])
def test_the_command_does_the_same(address: str, tmp_path: Path, alone: bool) -> None:
    path = tmp_path / "small.toml"
    path.write_text('name = "small"\n[fleet]\nhomes = 3\ndevices = 6\n[run]\nrounds = 2\n')
    command = [sys.executable, "-m", "folkmoot_cli", "simulate", str(path), "--format", "csv", "--out"]
    where = [] if alone else ["--address", address]
    subprocess.run([*command, tmp_path / "ray", "--engine", "ray", "--workers", "2", *where], check=True, timeout=200)
    subprocess.run([*command, tmp_path / "here", "--workers", "0"], check=True, timeout=200)
    tables = [(tmp_path / place / "small" / "members.csv").read_bytes() for place in ("ray", "here")]
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("workers", "fields", "says"),
    [
        (3, {}, "3 actors need a CPU each, and 2 of the cluster's 2 are free: ask for fewer"),
        (0, {}, "--workers 0 has the homes in this process"),
        (1, {"task": "har"}, 'write examples = "generated"'),
    ],
)
def test_what_cannot_be_is_one_sentence(
    address: str, tmp_path: Path, workers: int, fields: dict[str, object], says: str
) -> None:
    with pytest.raises(UserFault) as fault:
        apart(_play, address, workers, tmp_path / "ray", fields)
    assert says in str(fault.value)
    assert "\n" not in str(fault.value)


def test_an_actor_that_is_killed_ends_the_simulation_with_a_sentence(address: str) -> None:
    with pytest.raises(Died, match="homes on a machine of the cluster have ended: "):
        apart(_kill, address)


def test_an_address_where_no_cluster_answers_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        mail = f"127.0.0.1:{server.getsockname()[1]}"

        def answer() -> None:
            line, _ = server.accept()
            line.sendall(b"220 what do you want?\r\n")
            line.close()

        talks = threading.Thread(target=answer)
        talks.start()
        assert "is no head node of a Ray cluster" in apart(_sentence, mail)
        talks.join()
    assert apart(_sentence, mail).startswith(f"nobody answers at {mail} (Connection refused)")
    assert apart(_sentence, "nowhere.invalid:6379").startswith("nobody answers at nowhere.invalid:6379 (")
    assert apart(_sentence, "127.0.0.1:99999").startswith("nobody answers at 127.0.0.1:99999 (")
    assert apart(_sentence, "here").startswith("--address 'here': write HOST:PORT of the cluster's head node")
