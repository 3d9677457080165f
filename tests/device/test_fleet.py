"""The simulator before its first connection: who has what, and what a folder that is used again means."""

from pathlib import Path

import numpy as np
import pytest

from folkmoot import config
from folkmoot.errors import UserFault
from folkmoot.store.examples import Examples, Reader
from folkmoot_device import fleet, shards
from folkmoot_device.fleet import PREFIX, Settings
from tests.kit.command import Command


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Gives a file with the examples of clients 3 and 5."""
    x = np.random.default_rng(0).random((40, 2)).astype(np.float32)
    client = np.repeat([5, 3], [30, 10])
    np.savez(tmp_path / "own.npz", x=x, y=np.zeros(40, np.int32), contract="tried", client=client)
    return tmp_path / "own.npz"


def settings(folder: Path, **given: object) -> Settings:
    """Gives the settings of a fleet that lives in `folder`, the rest as the environment would say it."""
    return config.load(
        None,
        Settings,
        PREFIX,
        {f"{PREFIX}_{name.upper()}": str(value) for name, value in given.items()} | {f"{PREFIX}_FOLDER": str(folder)},
    )


def deal(told: Settings) -> dict[str, int]:
    """Deals; gives how many examples each device has."""
    counts = {}
    for name in fleet.deal(told, shards.source(told.examples)):
        reader = Reader(told.folder / name / "examples.db")
        counts[name] = sum((reader.counts().train, reader.counts().holdout))
        reader.close()
    return counts


def test_a_device_is_named_after_its_client(tmp_path: Path, own: Path) -> None:
    assert deal(settings(tmp_path / "fleet", examples=own)) == {"sim-00003": 10, "sim-00005": 30}
    assert deal(settings(tmp_path / "first", examples=own, devices=1, prefix="who")) == {"who-00003": 10}


def test_a_client_whose_number_makes_no_name_is_refused(tmp_path: Path) -> None:
    one = np.zeros(1, np.int32)
    client = np.array([10**15])
    np.savez(tmp_path / "own.npz", x=np.zeros((1, 1), np.float32), y=one, contract="tried", client=client)
    with pytest.raises(UserFault, match="must be 1 to 32 characters"):
        deal(settings(tmp_path / "fleet", examples=tmp_path / "own.npz", prefix="a" * 20))


def test_every_process_is_told_the_contract(tmp_path: Path) -> None:
    crowds = fleet.share(settings(tmp_path), "home-1", [str(number) for number in range(101)], "tried", 2)
    assert [(crowd.contract, len(crowd.names)) for crowd in crowds] == [("tried", 51), ("tried", 50)]


def test_a_fleet_that_is_started_again_goes_on_with_what_it_has(tmp_path: Path, own: Path) -> None:
    told = settings(tmp_path / "fleet", examples=own)
    deal(told)
    store = Examples(told.folder / "sim-00003" / "examples.db", "tried")
    store.add([(bytes(8), bytes(4))], 0)
    store.close()
    assert deal(told) == {"sim-00003": 11, "sim-00005": 30}


def test_a_device_whose_store_was_only_just_begun_gets_its_examples(tmp_path: Path, own: Path) -> None:
    told = settings(tmp_path / "fleet", examples=own)
    Examples(told.folder / "sim-00003" / "examples.db", "tried").close()
    (told.folder / "sim-00005").mkdir()
    (told.folder / "sim-00005" / "examples.db").touch()
    assert deal(told) == {"sim-00003": 10, "sim-00005": 30}


def test_more_digits_are_dealt_to_the_devices_that_are_new(tmp_path: Path) -> None:
    before = deal(settings(tmp_path, devices=3))
    after = deal(settings(tmp_path, devices=5))
    assert after.items() >= before.items()
    assert list(after) == [f"sim-0000{number}" for number in range(5)]
    assert min(after.values()) > 0


def test_a_folder_with_examples_of_another_contract_is_refused(tmp_path: Path, own: Path, folkmoot: Command) -> None:
    deal(settings(tmp_path / "fleet", devices=2))
    said = folkmoot("fleet", "--examples", own, "--folder", tmp_path / "fleet")
    sentence = f"{tmp_path}/fleet holds examples of digits-8x8, not of tried: give another --folder"
    assert (said.code, said.sentence) == (2, sentence)


def test_a_wrong_file_is_one_sentence_and_exit_code_2(tmp_path: Path, folkmoot: Command) -> None:
    (tmp_path / "own.npz").write_text("nonsense")
    said = folkmoot("fleet", "--examples", tmp_path / "own.npz", "--folder", tmp_path / "fleet")
    assert said.code == 2
    assert "own.npz is no file of arrays" in said.sentence


def test_more_devices_than_clients_is_one_sentence_and_exit_code_2(
    own: Path, tmp_path: Path, folkmoot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLKMOOT_FLEET_EXAMPLES", str(own))
    said = folkmoot("fleet", "--devices", 3, "--folder", tmp_path / "fleet")
    assert (said.code, said.sentence) == (2, f"{own} has 2 clients: give that many --devices at most, or none")
