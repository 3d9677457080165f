"""That what a process holds is seen from outside."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.soak import gauges

HOLDS = """
import socket, sys, threading
until = threading.Event()
threads = [threading.Thread(target=until.wait) for _ in range(2)]
for thread in threads: thread.start()
held = [open(sys.executable), *socket.socketpair()]
block = bytes(range(256)) * 4096 * 40
print(flush=True)
sys.stdin.read()
until.set()
"""


@contextmanager
def process(program: str, **environment: str) -> Iterator[int]:
    """Gives the id of a process that has begun."""
    command = [sys.executable, "-I", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.communicate()


def test_a_look_tells_files_sockets_threads_memory_and_what_is_on_disk(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(bytes(3 << 20))
    with process(HOLDS) as holds, process("print(flush=True); input()") as idle:
        held, nothing = (gauges.look(1.0, pid, tmp_path) for pid in (holds, idle))
    assert (held.files - nothing.files, held.sockets - nothing.sockets, held.threads - nothing.threads) == (3, 2, 2)
    assert 39 < held.resident - nothing.resident < 50
    assert held.folder == 3


def test_who_is_left_over_is_found_by_the_mark_of_its_environment(tmp_path: Path) -> None:
    mark = f"SOAK={tmp_path}"
    with process("print(flush=True); input()", SOAK=str(tmp_path)) as left:
        (found,) = gauges.strays(mark)
        assert found.startswith(f"{left}: {sys.executable}")
    assert gauges.strays(mark) == []
