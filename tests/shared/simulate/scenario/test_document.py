"""What a scenario file may say, and what is said to who writes it wrong."""

from pathlib import Path

import pytest

from folkmoot.errors import UserFault
from folkmoot.simulate.scenario import document
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.trace import State

WHOLE = """
name = "lamps"
seed = 7
task = "digits-cnn"
hours = 3
[fleet]
homes = 4
devices = 40
line = {latency_ms = [10, 20], up_kbps = [500, 1000]}
away = {every_hours = 2, for_minutes = 5}
[[fleet.kinds]]
name = "zero"
share = 3
step_ms = [10, 60]
line = {latency_ms = [1, 9], down_kbps = [64, 64]}
away = {every_hours = 1, for_minutes = 1}
reboot = {every_hours = 9, for_minutes = 0.5}
watts = 1.5
battery = {joules = [100, 200], level = [10, 90], charges = [22, 6]}
needs = {battery = 20, charging = true}
clock = {off_hours = 1}
[[fleet.kinds]]
name = "five"
trace = {file = "five.csv", hours = 48, shift = true}
[data]
examples = "generated"
each = 30
alpha = 0.3
holdout = 0.5
[run]
rounds = 3
strategy = {name = "fedprox"}
"""


def load(tmp_path: Path, text: str) -> Scenario:
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    return document.load(path)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "five.csv").write_text("trace,seconds,charging\na,0,1\na,90000,0\n")
    found = load(tmp_path, WHOLE)
    assert (found.name, found.fleet.homes, found.data.alpha) == ("lamps", 4, 0.3)
    assert [kind.name for kind in found.fleet.kinds] == ["zero", "five"]
    assert found.fleet.kinds[1].trace is not None
    assert found.fleet.kinds[1].trace.series == ((State(0, charging=True), State(90_000_000, charging=False)),)
    assert found.run == {"rounds": 3, "strategy": {"name": "fedprox"}}


def test_an_empty_file_is_a_scenario(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Scenario()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "is no TOML"),
        ("fleat = 1", "unknown key fleat; known here are awake, data, fleet"),
        ("[fleet]\nhomes = 0", "fleet.homes: expected a whole number >= 1"),
        ("[fleet]\nhomes = 9\ndevices = 8", "8 devices are too few for 9 homes"),
        ("[fleet]\nhomes = 3\n[[fleet.regions]]\ncount = 4", "3 homes are too few for the 4 gateways above"),
        ("[[fleet.regions]]\ncount = 1\n[[fleet.regions]]\ncount = 2", "give each a name of its own"),
        ("[fleet]\nline = {latency_ms = [9, 1]}", "latency_ms of the homes = [9, 1]: write the smaller one first"),
        ("[[fleet.kinds]]\nname = 'x'\nstep_ms = [2, 1]", "step_ms of x = [2, 1]"),
        ("[[fleet.kinds]]\nline = {up_kbps = [2, 1]}", "up_kbps of device = [2, 1]"),
        ("[[fleet.kinds]]\nreboot = {every_hours = 1}", "fleet.kinds[0].reboot.for_minutes is missing: set it"),
        ("[[fleet.kinds]]\nline = {loss = 1}", "fleet.kinds[0].line.loss: expected a number < 1"),
        ("[[fleet.kinds]]\nbattery = {joules = [2, 1]}", "battery.joules of device = [2, 1]: write the smaller one first"),
        ("[[fleet.kinds]]\nbattery = {joules = [1, 2], level = [9, 8]}", "battery.level of device = [9, 8]"),
        ("[[fleet.kinds]]\nneeds = {battery = 20}", "device: needs.battery, but it has none: give it a `battery`, or a trace"),
        ("[[fleet.kinds]]\nneeds = {charging = true}", "device: needs.charging, but nothing says when it charges"),
        ("[[fleet.kinds]]\ntrace = {file = 'none.csv'}", "none.csv does not exist: write the traces into it"),
        ("[[fleet.kinds]]\ntrace = {file = 'two.csv'}\nbattery = {joules = [1, 2]}", "its trace says how full its battery is"),
        (
            "[[fleet.kinds]]\ntrace = {file = 'on.csv'}\nbattery = {joules = [1, 2], charges = [1, 2]}",
            "its trace says when it charges, and so does battery.charges: leave one of them out",
        ),
        ("[data]\nexamples = 'mnist'", "data.examples: invalid enum value 'mnist'"),
        ("[data]\nholdout = 1", "data.holdout: expected a number < 1"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "two.csv").write_text("trace,seconds,battery\na,0,50\n")
    (tmp_path / "on.csv").write_text("trace,seconds,charging\na,0,1\n")
    with pytest.raises(UserFault) as fault:
        load(tmp_path, text)
    assert says in str(fault.value)
    assert str(fault.value).startswith(str(tmp_path))
    assert "\n" not in str(fault.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="does not exist: write it, or name another file"):
        document.load(tmp_path / "none.toml")
