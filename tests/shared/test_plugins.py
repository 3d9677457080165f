import sys
from pathlib import Path

import pytest

from folkmoot import plugins
from folkmoot.errors import UserFault

# A plug-in as an operator would write it, in a distribution of its own.
MODULE = '''"""Everything weighs the same."""

from folkmoot.strategies.fedavg import FedAvg
from folkmoot.strategies.fedavg import Options


def make(options):
    return FedAvg(options)
'''


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution, with a strategy `even` and one that would like to be `fedavg`."""
    (tmp_path / "even_strategy.py").write_text(MODULE)
    about = tmp_path / "even-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: even\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[folkmoot.strategies]\neven = even_strategy\nfedavg = even_strategy\nNo-Name = x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "even_strategy", raising=False)


def test_every_seam_with_a_folder_is_a_kind() -> None:
    kinds = plugins.kinds()
    assert {"screens", "strategies"} <= set(kinds)
    assert not {"tasks", "wire", "serve"} & set(kinds)


def test_a_file_is_its_own_registration() -> None:
    folder = Path(plugins.__file__).parent / "strategies"
    assert plugins.names("strategies") == sorted(path.stem for path in folder.glob("[a-z]*.py"))


def test_a_plug_in_is_made_with_its_options() -> None:
    assert plugins.load("strategies", "fedprox", {"mu": 0.5}).options.mu == 0.5
    assert plugins.load("strategies", "fedprox") == plugins.load("strategies", "fedprox", {})


def test_whole_numbers_do_for_fractions() -> None:
    assert plugins.load("strategies", "fedavg", {"learning_rate": 2}).options.learning_rate == 2.0


@pytest.mark.parametrize("name", ["fedavgg", "", "FedAvg", "__init__", "../strategy", "fedavg.py", "os", "fedavg\n", "a" * 33])
def test_a_name_that_is_no_file_of_ours_loads_nothing(name: str) -> None:
    with pytest.raises(UserFault, match=r"there is no strategy .*; there are .*fedavg, .*fedprox"):
        plugins.load("strategies", name)


@pytest.mark.parametrize("kind", ["wire", "tasks", "strategy", "nonsense", "../strategies"])
def test_a_folder_that_is_no_kind_loads_nothing(kind: str) -> None:
    with pytest.raises(UserFault, match=r"the kinds of plug-ins are .*screens, .*strategies"):
        plugins.load(kind, "fedavg")


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        (
            "fedopt",
            {"sgd": 1},
            "fedopt has no option 'sgd'; its options are optimizer, learning_rate, beta1, beta2, tau",
        ),
        ("fedopt", {"optimizer": "sgd"}, "optimizer is 'sgd'; it takes one of adagrad, adam, momentum, yogi (what makes"),
        ("fedopt", {"tau": 0}, "tau is 0; it takes 0 < number <= 1 (adaptivity"),
        ("fedopt", {"beta1": 1.0}, "beta1 is 1.0; it takes 0 <= number < 1 or nothing"),
        ("fedprox", {"mu": "much"}, "mu is 'much'; it takes 0 <= number <= 1000"),
        ("fedprox", {"mu": float("nan")}, "mu is nan; it takes 0 <= number <= 1000"),
    ],
)
def test_an_option_that_does_not_hold_is_named_with_what_would(name: str, options: dict, sentence: str) -> None:
    with pytest.raises(UserFault) as fault:
        plugins.load("strategies", name, options)
    assert sentence in str(fault.value)


def test_a_plug_in_without_options_says_so() -> None:
    with pytest.raises(UserFault, match="screen shape has no option 'strict'; it has no options"):
        plugins.load("screens", "shape", {"strict": True})


def test_the_description_has_every_option_with_its_default_and_its_values() -> None:
    described = plugins.describe("strategies", "fedopt")
    assert described.summary.startswith("Federated averaging with an optimiser at the server")
    options = {option.name: option for option in described.options}
    assert options["optimizer"].values == "one of adagrad, adam, momentum, yogi"
    assert (options["tau"].default, options["tau"].values) == (1e-3, "0 < number <= 1")
    assert options["learning_rate"].values == "0 < number <= 100 or nothing"
    assert options["beta2"].description


@pytest.mark.usefixtures("outside")
def test_plug_ins_of_others_count_only_where_they_are_asked_for() -> None:
    assert "even" not in plugins.names("strategies")
    with pytest.raises(UserFault):
        plugins.load("strategies", "even")
    assert "even_strategy" not in sys.modules
    assert "even" in plugins.names("strategies", outside=True)
    assert plugins.load("strategies", "even", {"learning_rate": 0.5}, outside=True).options.learning_rate == 0.5
    assert plugins.describe("strategies", "even", outside=True).summary == "Everything weighs the same."


@pytest.mark.usefixtures("outside")
def test_nobody_can_take_a_name_of_ours() -> None:
    plugins.load("strategies", "fedavg", outside=True)
    assert "even_strategy" not in sys.modules
    assert "No-Name" not in plugins.names("strategies", outside=True)
