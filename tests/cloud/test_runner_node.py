"""The cloud's program without its I/O."""

from pathlib import Path

from folkmoot.hop.events import Opened
from folkmoot.hop.upper import Upper
from folkmoot.link.face import Arrived, Connected, Limits
from folkmoot.store.spool import Spool
from folkmoot.wire import codec
from folkmoot.wire.messages import Body, Device, Hello, Status
from folkmoot.wire.topics import Tree
from folkmoot_cloud.runner.node import Cloud, Enter
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
