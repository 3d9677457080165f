"""The cloud's program without its I/O."""

from pathlib import Path

import pytest

from folkmoot.hop import events
from folkmoot.hop.effects import Closed
from folkmoot.hop.events import Opened
from folkmoot.hop.ids import ask_id
from folkmoot.hop.upper import Upper
from folkmoot.link.face import Arrived, Connected, Limits
from folkmoot.store.spool import Spool
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Body, Device, Hello, Request, Status
from folkmoot.wire.topics import Tree
from folkmoot_cloud.runner.campaign import Campaign
from folkmoot_cloud.runner.facts import RoundClosed, RunMoved
from folkmoot_cloud.runner.node import Cloud, Enter, Take
from tests.kit import toy
from tests.kit.ends import message

TREE = Tree("fl")


def said(body: Body) -> tuple[str, Arrived]:
    """Gives a message of the gateway g1."""
    return "down", Arrived(TREE.topic("g1", type(body)), message("g1", "cloud", body), False, None)


def test_whom_a_round_asks_is_on_the_disk_before_anybody_is_asked(tmp_path: Path) -> None:
    """Opened again after a power cut it might ask others; what those of before had been told ok for would be in no record."""
    node = Cloud(Upper(TREE, "cloud", Spool(tmp_path), 131_072), grace=45_000)
    hello = Hello(devices=(Device("a", "up", 10, data=toy.CONTRACT),))
    status = Status(state="up", birth=1, hello=codec.digest(codec.dump(hello)))
    before = node.step([("down", Connected(False, Limits(8, 262_144))), ("runs", Enter(toy.campaign(50))), said(status)], 0)
    assert not before["down"].firm
    batch = node.step([said(hello)], 1)["down"]
    assert [type(event) for _, event in batch.journal] == [Opened]
    assert batch.firm


def left_behind(desired: str) -> Enter:
    """Gives a run with an open round, in which g1 was asked and g2 has refused, as whoever takes it up finds it."""
    run: Campaign = toy.campaign(50)
    run.desired = desired  # type: ignore[assignment]
    members = (events.Invitation("g1"), events.Invitation("g2"))
    opened = events.Opened("run1/1/train", run._ask("train", 1), events.Terms(deadline=60_000), members)
    return Enter(run, [(0, opened), (1, events.Refused("g2", "not_ready"))])


@pytest.mark.parametrize("connected", [True, False])
def test_a_stop_that_was_said_when_nobody_had_the_run_stops_its_round_when_it_is_taken_up(
    tmp_path: Path, connected: bool
) -> None:
    """The operator was told that it is stored, and nobody says it again."""
    node = Cloud(Upper(TREE, "cloud", Spool(tmp_path), 131_072), grace=45_000, shards=())
    link = ("down", Connected(False, Limits(8, 262_144)))
    if connected:
        node.step([link], 5)
    run = left_behind("stop")
    taken = ("leases", Take(frozenset({TREE.shard(run.campaign.spec.run)}), [run]))
    batch = node.step([taken], 10)["down"]
    said = [(send.member, send.body.reason, send.ask) for send in batch.sends if isinstance(send.body, Request)]
    assert said == [("g1", "operator", ask_id("run1/1/train", "g1"))]
    assert batch.forgets == ["r/run1/1/train"]
    closed, ended = node.facts
    assert isinstance(closed, RoundClosed)
    assert closed.closed == Closed("stopped", "operator")
    assert ended == RunMoved("run1", "finished", "stopped", "an operator stopped it")
    assert node.campaigns == {}
    later = node.step([link], 20)["down"]
    assert not [send for send in later.sends if isinstance(send.body, Ask)]


@pytest.mark.parametrize("desired", ["run", "pause"])
def test_any_other_round_goes_on_when_it_is_taken_up(tmp_path: Path, desired: str) -> None:
    node = Cloud(Upper(TREE, "cloud", Spool(tmp_path), 131_072), grace=45_000)
    batch = node.step([("down", Connected(False, Limits(8, 262_144))), ("runs", left_behind(desired))], 10)["down"]
    assert [send.member for send in batch.sends if isinstance(send.body, Ask)] == ["g1"]
    assert not [fact for fact in node.facts if isinstance(fact, RoundClosed)]
