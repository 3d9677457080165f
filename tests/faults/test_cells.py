"""Some cells of the fault matrix, done to real processes; `make faults` does all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cells import CHOSEN, Cell, all_cells
from tests.faults.stage import CannotBeTried, Kind, Stage
from tests.faults.trial import attempt

CELLS = [cell for cell in all_cells() if cell.name in CHOSEN]


class _Towns:
    """One town at a time: it serves all cells of its kind, unless one has failed in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._stage: Stage | None = None

    def stand(self, kind: Kind) -> Stage:
        if self._stage is None or self._stage.kind != kind:
            self.close()
            self._number += 1
            folder = self._folder / f"{self._number}-{kind}"
            folder.mkdir()
            self._stage = Stage(folder, kind).__enter__()
        return self._stage

    def close(self) -> None:
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.__exit__(None, None, None)


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Towns]:
    """Gives towns, and ends the last one."""
    made = _Towns(tmp_path_factory.mktemp("faults"))
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.postgres
@pytest.mark.timeout(300)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_nothing_is_lost_and_nothing_counted_twice(towns: _Towns, cell: Cell) -> None:
    try:
        attempt(towns.stand(cell.kind), cell)
    except CannotBeTried as error:
        towns.close()
        pytest.skip(str(error))
    except BaseException:
        towns.close()
        raise
