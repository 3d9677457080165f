import subprocess
import sys

import numpy as np
import pytest

from folkmoot import tasks
from folkmoot.errors import UserFault
from folkmoot.tasks import digits
from folkmoot.wire import bundle

LIMIT = 300_000  # bytes: what a clone, a wheel and every device of a demo carry


@pytest.mark.parametrize("name", tasks.names())
def test_a_task_is_found_by_its_name_and_is_small(name: str) -> None:
    content = tasks.read(name)
    _, program = bundle.load(content)
    assert program.manifest.task == name
    assert len(content) <= LIMIT


def test_the_digits_come_with_folkmoot_and_are_learnt_from_the_same_examples() -> None:
    assert {"digits-cnn", "digits-mlp"} <= set(tasks.names())
    contracts = {bundle.load(tasks.read(name))[1].manifest.contract for name in ("digits-cnn", "digits-mlp")}
    (contract,) = contracts
    assert contract.name == digits.CONTRACT
    assert len(contract.classes) == 10


def test_the_digits_are_those_of_scikit_learn_and_cost_no_import_of_it() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_digits()
    order = np.random.default_rng(digits.SPLIT).permutation(len(found.target))
    parts = digits.load()
    assert [len(part) for part in parts] == [digits.DEALT, len(found.target) - digits.DEALT]
    assert np.array_equal(np.concatenate([part.x for part in parts]), (found.data[order] / 16).astype(np.float32))
    assert np.array_equal(np.concatenate([part.y for part in parts]), found.target[order].astype(np.int32))
    code = "import sys; from folkmoot.tasks import digits; digits.load(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"sklearn", "scipy"}.isdisjoint(loaded)


def test_a_task_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UserFault, match=r"no task 'mnist' .* there are digits-cnn, digits-mlp"):
        tasks.read("mnist")


def test_a_name_leads_nowhere_else() -> None:
    with pytest.raises(UserFault):
        tasks.read("../author/models/digits")
