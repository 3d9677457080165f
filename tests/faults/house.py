"""The town of one process of the runner: it stands for as long as it survives, and its kind is wanted."""

import logging
import shutil
import tempfile
import time
from multiprocessing import util
from pathlib import Path

from tests.faults.cells import Cell
from tests.faults.results import Result
from tests.faults.stage import CannotBeTried, Kind, Stage
from tests.faults.trial import attempt

AGAIN = 2  # times that a cell is tried anew whose phase was over before the fault was there


def tried(cell: Cell, commit: str) -> tuple[Result, str]:
    """Tries a cell in the town of this process; gives what came of it, and where a town that failed is kept.

    Raises CannotBeTried where this machine does not let us.
    """
    begun = time.monotonic()
    try:
        outcome = attempt(_HOUSE.stand(cell.kind), cell)
        for _ in range(AGAIN):
            if not outcome.hit:
                outcome = attempt(_HOUSE.stand(cell.kind), cell)
    except CannotBeTried:
        _HOUSE.close()
        raise
    except Exception as error:  # whatever it is, the other cells are to be tried
        kept = _HOUSE.keep()
        took = round(time.monotonic() - begun, 1)
        why = f"{type(error).__name__}: {error}"[:2000]
        return Result(cell=cell.name, commit=commit, survived=False, why=why, took=took), kept
    return Result(
        cell=cell.name,
        commit=commit,
        survived=True,
        seconds=outcome.seconds,
        closed=outcome.closed,
        hit=outcome.hit,
        rounds=outcome.rounds,
        took=round(time.monotonic() - begun, 1),
    ), ""


class _House:
    """Whatever town stands at the moment."""

    def __init__(self) -> None:
        self._stage: Stage | None = None
        self._folder: Path | None = None

    def stand(self, kind: Kind) -> Stage:
        """Gives a town of a kind, whole."""
        if self._stage is None or self._stage.kind != kind:
            self.close()
            logging.disable(logging.ERROR)  # of our own ends: what is done to their connections is what we are here for
            util.Finalize(None, self.close, exitpriority=10)  # a process of a pool runs no atexit
            self._folder = Path(tempfile.mkdtemp(prefix=f"faults-{kind}-"))
            stage = Stage(self._folder, kind)
            self._stage = stage.__enter__()
        return self._stage

    def keep(self) -> str:
        """Ends a town in which something failed; gives where its files are."""
        assert self._folder is not None
        kept = self._folder.with_name(self._folder.name + "-kept")
        shutil.copytree(self._folder, kept, ignore=shutil.ignore_patterns("ballast"))  # small disks go with their town
        self.close()
        return str(kept)

    def close(self) -> None:
        """Ends the town, and removes its folder."""
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.__exit__(None, None, None)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


_HOUSE = _House()
