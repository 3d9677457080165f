import tomllib
from pathlib import Path

import pytest

from folkmoot.errors import UserFault
from folkmoot.store.examples import Reader
from folkmoot.tasks import digits
from folkmoot_cli.demo import shards
from folkmoot_cli.demo.children import environment
from folkmoot_cli.demo.federation import toml
from folkmoot_cli.demo.plan import Plan


def test_devices_are_spread_evenly_over_the_homes() -> None:
    homes = Plan(gateways=3, devices=11).homes
    assert {home: len(names) for home, names in homes.items()} == {"home-1": 4, "home-2": 4, "home-3": 3}
    names = [name for home in homes.values() for name in home]
    assert len(set(names)) == 11
    assert all(len(name) <= 32 for name in names)


@pytest.mark.parametrize(("gateways", "devices"), [(1, 1), (3, 12), (2, 7), (5, 40)])
def test_every_image_is_dealt_once_and_nobody_goes_without(tmp_path: Path, gateways: int, devices: int) -> None:
    homes = Plan(gateways=gateways, devices=devices).homes
    places = {name: tmp_path / name / "examples.db" for names in homes.values() for name in names}
    counts = shards.store(homes, places, seed=1)
    held = []
    for place in places.values():
        reader = Reader(place)
        assert reader.contract == digits.CONTRACT
        held.append(reader.counts().train + reader.counts().holdout)
        reader.close()
    assert sum(held) == digits.DEALT == sum(int(each.sum()) for each in counts.values())
    assert min(held) > 0


def test_two_of_three_homes_are_poor_in_some_digits(tmp_path: Path) -> None:
    homes = Plan().homes
    places = {name: tmp_path / name / "examples.db" for names in homes.values() for name in names}
    rich, *poor = shards.store(homes, places, seed=0).values()
    assert rich.min() > 20
    assert all((counts < 15).sum() >= 3 for counts in poor)


def test_a_transform_that_there_is_not_is_refused_before_anything_starts() -> None:
    with pytest.raises(UserFault, match="there is no transform 'int7'; there are int8"):
        Plan(transform="int7")


def test_settings_are_written_as_they_are_read() -> None:
    settings = {"id": 'a "b"\n\\ é', "on": True, "home": {"port": 1883, "share": 0.5}, "cloud": {"host": "::1"}}
    assert tomllib.loads(toml(settings)) == settings


def test_children_do_not_hear_of_another_folkmoot() -> None:
    found = environment({"PATH": "/bin", "FOLKMOOT_TOKEN": "fm_x", "FOLKMOOT_DEVICE_ID": "a"})
    assert found["PATH"] == "/bin"
    assert [name for name in found if name.startswith("FOLKMOOT")] == []
    assert found["OMP_NUM_THREADS"] == "1"
