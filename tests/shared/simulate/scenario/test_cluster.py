"""Homes on a Ray cluster: two nodes, an actor on each, and the same tables as without."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from folkmoot.errors import UserFault
from folkmoot.simulate.result import store
from folkmoot.simulate.scenario.crew import Died, Hire
from folkmoot.simulate.scenario.play import play
from tests.shared.simulate.scenario.test_play import scenario

pytest.importorskip("ray", reason="Ray is not installed: pip install 'folkmoot[ray]'")
cluster = pytest.importorskip("folkmoot.simulate.scenario.cluster")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}  # bytes: about the least that Ray takes


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Gives a cluster of two nodes with a CPU each, on ports of their own."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415  # only where Ray is

    with TemporaryDirectory(prefix="ray") as folder:  # not pytest's own: the path of a socket has 107 bytes at most
        (Path(folder) / "ray").mkdir()  # where a cluster writes down its address: without it, in /tmp/ray, which others have
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
            patched.setenv("RAY_TMPDIR", folder)
            made = Cluster(initialize_head=True, head_node_args={**NODE, "temp_dir": folder})
            try:
                made.add_node(**NODE, temp_dir=folder)
                yield made
            finally:
                made.shutdown()


def test_actors_on_two_nodes_give_the_same_tables_to_the_byte(nodes: Any, tmp_path: Path) -> None:
    where: list[Any] = []

    def noted(hire: Hire) -> Hire:
        def some(*given: Any) -> Any:
            where.extend(hire(*given))
            return where

        return some

    with cluster.connected(nodes.address, None) as (hire, workers):
        store.write(play(scenario(), workers, hire=noted(hire)), tmp_path / "ray", "csv")
    store.write(play(scenario(), 0), tmp_path / "here", "csv")
    assert workers == 2
    assert len({one.node for one in where}) == 2
    assert "" not in {one.node for one in where}
    for table in ("rounds", "members", "devices"):
        assert (tmp_path / "ray" / f"{table}.csv").read_bytes() == (tmp_path / "here" / f"{table}.csv").read_bytes()


@pytest.mark.parametrize("alone", [False, True], ids=["of two nodes", "of this machine alone"])
def test_the_command_does_the_same(nodes: Any, tmp_path: Path, alone: bool) -> None:
    path = tmp_path / "small.toml"
    path.write_text('name = "small"\n[fleet]\nhomes = 3\ndevices = 6\n[run]\nrounds = 2\n')
    command = [sys.executable, "-m", "folkmoot_cli", "simulate", str(path), "--format", "csv", "--out"]
    cluster_of = [] if alone else ["--address", nodes.address]
    # A process of its own: Ray does not take one from one cluster to another.
    subprocess.run([*command, tmp_path / "ray", "--engine", "ray", "--workers", "2", *cluster_of], check=True, timeout=200)
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
def test_what_cannot_be_is_one_sentence(nodes: Any, workers: int, fields: dict[str, object], says: str) -> None:
    with pytest.raises(UserFault) as fault, cluster.connected(nodes.address, workers) as (hire, count):
        play(scenario(**fields), count, hire=hire)
    assert says in str(fault.value)
    assert "\n" not in str(fault.value)


def test_an_actor_that_is_killed_ends_the_simulation_with_a_sentence(nodes: Any) -> None:
    with cluster.connected(nodes.address, 1) as (hire, count):

        def doomed(*given: Any) -> Any:
            (one,) = hire(*given)
            one.end()
            one.leave()
            return [one]

        with pytest.raises(Died, match="homes on a machine of the cluster have ended: "):
            play(scenario(), count, hire=doomed)


@pytest.fixture
def mute() -> Iterator[str]:
    """Gives an address at which somebody listens who says something that is no HTTP/2."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            line.sendall(b"220 what do you want?\r\n")
            line.close()

        talks = threading.Thread(target=answer)
        talks.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        talks.join()


def test_an_address_where_somebody_else_answers_is_said(mute: str) -> None:
    with pytest.raises(UserFault, match="is no head node of a Ray cluster"), cluster.connected(mute, None):
        pass


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:1", "nobody answers at 127.0.0.1:1 (Connection refused)"),
        ("nowhere.invalid:6379", "nobody answers at nowhere.invalid:6379"),
        ("127.0.0.1:99999", "nobody answers at 127.0.0.1:99999"),
        ("here", "--address 'here': write HOST:PORT of the cluster's head node"),
    ],
)
def test_an_address_that_does_not_answer_is_said(address: str, says: str) -> None:
    with pytest.raises(UserFault) as fault, cluster.connected(address, None):
        pass
    assert says in str(fault.value)
