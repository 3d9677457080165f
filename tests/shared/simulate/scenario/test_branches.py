"""Branches that are put away and brought back: the same comes of it, and what they share they go on sharing."""

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from folkmoot.simulate.disk import BLOBS
from folkmoot.simulate.result.tables import Result
from folkmoot.simulate.scenario import crew, profile, shelf
from folkmoot.simulate.scenario.branch import Branch, Parcel
from folkmoot.simulate.scenario.branches import Branches
from folkmoot.simulate.scenario.document import Absence, Data, Fleet, Kind, Line, Region, Scenario
from folkmoot.simulate.scenario.play import play, read
from folkmoot.simulate.scenario.shelf import Shelf
from folkmoot.wire import bundle, codec, messages
from tests.shared.simulate.scenario.test_play import CARRIED, ROUGH, plain

FEW = {"rounds": 6, "deadline_seconds": 20, "plan": {"epochs": 1}, "cohort": {"devices": 4}}
UNLEARNT = Data(examples="none")
KINDS = (Kind(), ROUGH, CARRIED, Kind(name="slow", job_seconds=(5.0, 9.0), job_noise=0.2, line=Line(loss=0.1)))
REGIONS = (Region(name="country", count=3, away=Absence(every_hours=0.05, for_minutes=0.3)), Region(name="street", count=4))
SCENARIOS = {
    "plain": Scenario(seed=3, fleet=Fleet(homes=6, devices=24), run=FEW),
    "rough": Scenario(seed=4, fleet=Fleet(homes=6, devices=24, kinds=KINDS, away=REGIONS[0].away), run=FEW),
    "regions": Scenario(seed=5, fleet=Fleet(homes=6, devices=24, kinds=KINDS, regions=REGIONS), run=FEW),
    "stand-ins": Scenario(seed=7, fleet=Fleet(homes=6, devices=24, away=REGIONS[0].away), data=UNLEARNT, run=FEW),
    "offline": Scenario(
        seed=6,
        fleet=Fleet(homes=6, devices=24, kinds=KINDS),
        data=UNLEARNT,
        run={**FEW, "rounds": 12, "evaluate": False, "buffer": 2, "offline": {"staleness": 5, "discount": 0.5}},
    ),
}


@pytest.fixture(scope="module", autouse=True)
def half_of_them_later() -> Iterator[None]:
    """Has some branches come up later than others, as in a large fleet that asks few."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(profile, "BUSY", 2)
        patched.setattr(profile, "AT_ONCE", 12)
        patched.setattr(profile, "RATE", 4)
        yield


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> list[Branches]:
    """Has everything put away that can be; gives the branches of each run in this process."""
    made = []

    class Kept(Branches):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

        def advance(self, horizon: int, parcels: Sequence[Parcel]) -> list[Parcel]:
            out = super().advance(horizon, parcels)
            self._tidy(horizon)
            return out

    monkeypatch.setattr(crew, "Branches", Kept)
    return made


@pytest.fixture(scope="module", params=sorted(SCENARIOS))
def unmoved(request: pytest.FixtureRequest) -> tuple[Scenario, Result]:
    """Gives a scenario, and what comes of it where nothing is ever put away."""
    scenario = SCENARIOS[request.param]
    return scenario, play(scenario, 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_comes_of_it_whether_branches_are_put_away_or_not(
    unmoved: tuple[Scenario, Result], eager: list[Branches], workers: int
) -> None:
    scenario, result = unmoved
    assert plain(play(msgspec.structs.replace(scenario, awake=0), workers)) == plain(result)
    if not workers:
        (made,) = eager
        assert made.brought > 50


def test_where_each_round_asks_everybody_nothing_is_put_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "BUSY", 0.5)
    made = settled(SCENARIOS["plain"], awake=0, run={**FEW, "cohort": {}})
    made.advance(30_000, ())
    assert made.brought == 0
    assert not made._away


def settled(scenario: Scenario, **fields: Any) -> Branches:
    """Gives all branches of a scenario, at its beginning."""
    scenario = msgspec.structs.replace(scenario, **fields)
    content, _ = bundle.load(read(scenario.task))
    return crew.settle(scenario, range(scenario.fleet.homes), content.program)


def one_home(devices: int = 20) -> tuple[Shelf, Branch]:
    """Gives a home that has come up, without a cloud, and where it can be put."""
    made = settled(Scenario(fleet=Fleet(homes=1, devices=devices), data=UNLEARNT))
    made.advance(30_000, ())
    return made._shelf, made._awake[0]


def test_a_home_that_is_put_away_takes_less_than_a_kilobyte_a_device() -> None:
    shelf, home = one_home()
    assert len(shelf.put(home)) < 20 * 1_024


def test_a_large_home_is_no_deeper_than_a_small_one() -> None:
    shelf, home = one_home(1_000)
    assert shelf.take(shelf.put(home)).devices == 1_000


def test_a_branch_that_comes_back_has_what_all_share_and_no_copy_of_it() -> None:
    shelf, home = one_home()
    blob = codec.digest(b"a model")
    BLOBS.setdefault(blob, b"a model")
    home.gateways[0].host.place.stores.blobs[blob] = BLOBS[blob]
    found = shelf.take(shelf.put(home))
    assert found._ground is home._ground
    assert found.gateways[0].host.place.stores.blobs[blob] is BLOBS[blob]
    devices = [host.trade for host in found.gateways[0].hosts[1:]]
    assert all(trade._school is home._ground.school for trade in devices)
    assert all(trade._device.kind is home._ground.scenario.fleet.kinds[0] for trade in devices)
    assert all(trade._agenda is found.agenda for trade in devices)


@pytest.mark.parametrize(
    "message",
    [
        messages.Plan(),
        messages.Plan(epochs=3, learning_rate=0.5),
        messages.Hello(),
        messages.Hello(data="digits", max_packet=1_000, devices=(messages.Device("one", "up", 20),)),
        messages.Get(blob=bytes(32), first=0, count=3),
        messages.Get(blob=bytes(32), chunk=65_536, first=0, count=3),
    ],
)
def test_a_field_that_was_left_out_of_a_message_is_left_out_again(message: Any) -> None:
    # msgspec leaves out what is the default itself, and writes what only equals it.
    shelf = Shelf(())
    found = shelf.take(shelf.put(message))
    assert type(found) is type(message)
    assert codec.dump(found) == codec.dump(message)


def held(root: object) -> Iterator[tuple[object, object]]:
    """Yields everything that an object leads to, and what leads there."""
    seen, ahead = {id(root): root}, [root]
    while ahead:
        one = ahead.pop()
        for other in gc.get_referents(one):
            yield one, other
            if id(other) not in seen and not isinstance(other, (type, int, float, str, bytes)):
                seen[id(other)] = other
                ahead.append(other)


def test_no_number_that_a_message_has_by_default_is_held_by_anything_else() -> None:
    # Where something else held it, it would come back as an equal number, and a message that is made of it have a field more.
    _, home = one_home()
    numbers = [one for kind in shelf._kinds() for one in shelf._defaults(kind) if isinstance(one, (int, float))]
    assert numbers
    holders = {type(one) for one, other in held(home.gateways[0].host.node) if any(other is number for number in numbers)}
    assert all(issubclass(kind, (msgspec.Struct, type, tuple)) for kind in holders), holders


def test_nothing_of_a_branch_that_was_let_go_waits_for_the_collector() -> None:
    _, home = one_home()
    gc.collect()
    gc.disable()
    try:
        home.undo()
        del home
        assert gc.collect() < 20
    finally:
        gc.enable()
