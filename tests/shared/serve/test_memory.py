import subprocess
import sys

from folkmoot.serve import memory

# What a fresh process says before, with, and after 32 MiB.
SCRIPT = """
from folkmoot.serve import memory
print(memory.resident(), memory.peak())
held = bytearray(b"x") * (32 << 20)
print(memory.resident(), memory.peak(), memory.proportional())
del held
print(memory.resident(), memory.peak())
memory.reset_peak()
print(memory.resident(), memory.peak())
"""


def test_memory_is_seen_to_come_and_go_and_its_peak_to_stay() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    before, during, after, anew = ([int(one) for one in line.split()] for line in ran.stdout.splitlines())
    held = 32 << 20
    assert during[0] - before[0] > 0.9 * held
    assert 0.9 * held < during[2] <= during[0]
    assert during[0] - after[0] > 0.9 * held
    assert after[1] - before[0] > 0.9 * held  # the kernel counts by batches of pages: not to the byte
    assert anew[1] < after[1] - 0.9 * held


def test_memory_of_another_process_is_known_by_its_id() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert 0 < memory.resident(process.pid) < 64 << 20
        assert process.stdin
        process.stdin.close()
