"""What befalls devices, and what they make of it, in scenarios with nothing else in them."""

from pathlib import Path

import pytest

from folkmoot.simulate.result.tables import Result
from folkmoot.simulate.scenario.document import Battery, Clock, Data, Fleet, Kind, Line, Needs, Scenario, Trace
from folkmoot.simulate.scenario.play import play
from folkmoot.simulate.scenario.power import why_not
from folkmoot.simulate.scenario.trace import Series, State

EIGHT = Fleet(homes=2, devices=8)
RUN = {"rounds": 6, "deadline_seconds": 60, "evaluate": False}


def lived(*kinds: Kind, fleet: Fleet = EIGHT, **run: object) -> Result:
    """Gives what comes of a small fleet whose devices do not train."""
    given = {"homes": fleet.homes, "devices": fleet.devices, "line": fleet.line, "clock": fleet.clock}
    return play(Scenario(seed=2, fleet=Fleet(kinds=kinds, **given), data=Data(examples="none"), run={**RUN, **run}), 0)


def traced(*states: State, **fields: object) -> Kind:
    """Gives a kind with one trace of an hour."""
    series: Series = states
    return Kind(trace=Trace(file=Path("none.csv"), hours=1, series=(series,)), **fields)  # type: ignore[arg-type]


def test_a_battery_gives_what_rest_work_and_traffic_take() -> None:
    cell = Battery(joules=(1_000.0, 1_000.0), level=(100.0, 100.0), rest_watts=0.5)
    result = lived(Kind(job_seconds=(40,), watts=3.0, joules_per_mb=50.0, battery=cell))
    end = float(str(result.facts["virtual_seconds"]))
    for device in result.devices:
        assert device.merged == 6
        assert device.train_s == pytest.approx(6 * 40)
        assert device.joules == pytest.approx(3 * 240 + 50 * (device.bytes_up + device.bytes_down) / 1e6)
        assert device.battery_j == pytest.approx(1_000 - device.joules - 0.5 * end, abs=0.5 * 5)  # it has booted after a while
        assert device.off_s == 0


def test_an_empty_battery_turns_a_device_off_until_it_is_charged() -> None:
    cell = Battery(joules=(100.0, 100.0), level=(50.0, 50.0), rest_watts=0.2, charger_watts=10, charges=(0.1, 24), starts=50)
    result = lived(Kind(job_seconds=(50,), watts=1.0, battery=cell), rounds=8)
    for device in result.devices:
        # 50 J are gone in the first job; the charger comes at 360 s, 5 s of it are enough, and somebody looks every minute.
        assert 300 <= device.off_s <= 360
        assert 1 <= device.merged < 8
    last = [member for member in result.members if member.round == 8]
    assert len(last) == 8
    assert not any(member.fate for member in last)


def test_who_lacks_what_it_needs_is_not_asked_and_is_asked_when_it_has_it() -> None:
    weak = traced(State(0, battery=10), State(200_000, battery=90), needs=Needs(battery=20))
    result = lived(Kind(name="mains"), weak, rounds=3, cohort={"fraction": 1.0})
    names = {device.device for device in result.devices if device.kind == "device"}
    assert names
    assert not [member for member in result.members if member.device in names]
    # Rounds of quick devices are over long before; where they wait, the weak ones join.
    result = lived(Kind(name="mains", job_seconds=(100,)), weak, rounds=4, deadline_seconds=200)
    asked = {one.number: {member.kind for member in result.members if member.round == one.number} for one in result.rounds}
    assert asked[1] == {"mains"}
    assert asked[4] == {"mains", "device"}


def test_who_cannot_any_more_refuses_before_its_gateway_has_heard_of_it() -> None:
    # It is said with the next heartbeat, within a minute.
    kind = traced(State(0, charging=True), State(25_000, charging=False), needs=Needs(charging=True), job_seconds=(3,))
    result = lived(Kind(name="mains", job_seconds=(3,)), kind, rounds=3)
    assert {member.fate for member in result.members if member.kind == "device" and member.round == 3} == {"refused:not_ready"}


def test_a_trace_takes_the_connection_and_gives_it_back() -> None:
    states = (State(0, connected=True), State(30_000, connected=False), State(90_000, connected=True))
    result = lived(traced(*states, job_seconds=(20,)))
    assert {device.away_s for device in result.devices} == {60.0}


def test_a_trace_sets_the_rate_of_the_line() -> None:
    slow, quick = (
        lived(traced(State(0, up_kbps=8_000), State(30_000, up_kbps=rate), job_seconds=(7,)), deadline_seconds=600, rounds=4)
        for rate in (8.0, 8_000.0)
    )
    assert slow.rounds[0].closed_s == quick.rounds[0].closed_s
    took = [result.rounds[-1].closed_s - result.rounds[-1].opened_s for result in (slow, quick)]
    assert took[0] > took[1] + max(member.bytes_up for member in slow.members) / 1_000 * 0.8


def test_wrong_clocks_change_nothing() -> None:
    clocks = (Clock(), Clock(off_hours=9, drift_ppm=500))
    right, wrong = (lived(Kind(clock=clock), fleet=Fleet(homes=2, devices=8, clock=clock)) for clock in clocks)
    assert (right.rounds, right.members) == (wrong.rounds, wrong.members)


def test_a_lossy_line_is_slower_and_loses_nothing() -> None:
    sound, lossy = (lived(Kind(line=Line(latency_ms=(20, 20), loss=loss)), cohort={}) for loss in (0.0, 0.2))
    for result in (sound, lossy):
        assert all(one.merged == 8 for one in result.rounds)
    seconds = [result.rounds[-1].closed_s - result.rounds[0].opened_s for result in (sound, lossy)]
    assert seconds[1] > seconds[0] + 6 * 0.24


def test_work_that_nobody_wants_any_more_ends_and_takes_no_more_energy() -> None:
    result = lived(Kind(job_seconds=(1, 1000), watts=1.0), cohort={"devices": 2}, over_selection=4.0, deadline_seconds=3_000)
    stopped = [member for member in result.members if member.fate]
    assert stopped
    for member in stopped:
        assert member.started_s is None or (member.trained_s or 0) < result.rounds[member.round - 1].closed_s + 1
    assert sum(device.train_s for device in result.devices) < 500


@pytest.mark.parametrize(
    ("needs", "percent", "charging", "says"),
    [
        (Needs(), None, None, ""),
        (Needs(), 0.0, False, ""),
        (Needs(battery=20), 19.9, False, "its battery is below 20 %"),
        (Needs(battery=20), 20.0, False, ""),
        (Needs(battery=20), 1.0, True, ""),
        (Needs(charging=True), 100.0, None, "it is not charging"),
        (Needs(charging=True, battery=20), 5.0, True, ""),
    ],
)
def test_what_a_device_says_of_itself(needs: Needs, percent: float | None, charging: bool | None, says: str) -> None:
    assert why_not(needs, percent, charging) == says
