"""The machine that figures are of."""

import platform
from pathlib import Path

import msgspec
import psutil


class Machine(msgspec.Struct, frozen=True):
    """What a reader must know of it; two with the same facts count as one."""

    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB of memory, {self.system}, Python {self.python}"


def here() -> Machine:
    """Describes this machine."""
    return Machine(
        processor=_processor() or platform.machine(),
        cores=psutil.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / (1 << 30)),
        system=platform.freedesktop_os_release()["PRETTY_NAME"],
        python=platform.python_version(),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return ""
