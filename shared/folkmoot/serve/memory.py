"""Memory of processes, as Linux counts it: proc(5)."""

from pathlib import Path

_RESET_PEAK = "5"  # to clear_refs: sets the peak of resident memory back to its present value


def resident(pid: int | str = "self") -> int:
    """Gives the bytes of memory that a process has now, shared ones in full."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS")


def peak(pid: int | str = "self") -> int:
    """Gives the most bytes that `resident` has been."""
    return _field(Path(f"/proc/{pid}/status"), "VmHWM")


def reset_peak(pid: int | str = "self") -> None:
    """Counts the peak anew from here."""
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)


def proportional(pid: int | str = "self") -> int:
    """Gives the bytes of memory that a process has now, each shared page divided by the number of processes that share it."""
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def _field(path: Path, name: str) -> int:
    line = next(line for line in path.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
