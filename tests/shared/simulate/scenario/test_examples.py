"""The scenarios of the documentation are what it says of them."""

import re

import msgspec
import pytest

from folkmoot.simulate.scenario import document
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.play import play
from tests.architecture.conftest import ROOT

FOLDER = ROOT / "docs" / "examples" / "fleet"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_who_does_not_wait_learns_the_same_in_half_the_time() -> None:
    patient, impatient = (play(document.load(FOLDER / f"{name}.toml"), 2) for name in ("fleet", "impatient"))
    assert len(patient.rounds) == len(impatient.rounds) == 30
    accuracies = [result.rounds[-1].accuracy or 0 for result in (patient, impatient)]
    assert min(accuracies) > 0.88
    assert abs(accuracies[0] - accuracies[1]) < 0.03
    taken = [result.rounds[-1].closed_s - result.rounds[0].opened_s for result in (patient, impatient)]
    assert taken[1] < 0.6 * taken[0]


def pace(name: str) -> float:
    """Gives how many seconds 16 updates take from when they are sent out to when they are merged, once a scenario goes evenly.

    The first tenth of the rounds does not count.
    """
    rounds = play(document.load(FOLDER / f"{name}.toml"), 2).rounds
    first, counted = rounds[len(rounds) // 10 - 1], rounds[len(rounds) // 10 :]
    return 16 * (counted[-1].closed_s - first.closed_s) / sum(one.merged for one in counted)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_waiting_for_all_and_waiting_for_nobody_take_the_time_that_flare_has_published() -> None:
    assert pace("synchronous") == pytest.approx(408.4, rel=0.02)
    assert pace("asynchronous") == pytest.approx(238.3, rel=0.02)


def test_phones_and_lamps_take_part_when_their_traces_and_batteries_let_them() -> None:
    scenario = document.load(FOLDER / "phones.toml")
    result = play(msgspec.structs.replace(scenario, run={**scenario.run, "rounds": 4, "plan": {"steps": 1}}), 0)
    assert all(0 < one.merged < 60 for one in result.rounds)
    assert {device.kind for device in result.devices if device.merged} == {"phone", "lamp"}
    phones = [device for device in result.devices if device.kind == "phone"]
    assert {device.asked for device in phones} > {0, 4}
    assert sum(device.away_s for device in phones) > 3_600
    assert all((device.battery_j is None) == (device.kind == "phone") for device in result.devices)


def test_the_documentation_tells_of_every_field() -> None:
    told = " ".join(re.findall(r"`[^`\n]+`", (ROOT / "docs" / "simulation.md").read_text()))
    sections = (document.Fleet, document.Line, document.Absence, document.Data)
    kinds = (document.Kind, document.Battery, document.Needs, document.Clock, document.Trace)
    for part in (Scenario, *sections, *kinds):
        fields = set(part.__struct_fields__) - {"series"}  # what stands in the file
        missing = [name for name in fields if not re.search(rf"\b{name}\b", told)]
        assert not missing, part
