"""The gateway's program without its I/O: what it says of those below it, and whom it asks."""

from itertools import pairwise
from pathlib import Path

import pytest

from folkmoot.hop.events import Opened
from folkmoot.hop.lower import Lower
from folkmoot.hop.upper import Upper
from folkmoot.link.face import Arrived, Connected, Limits
from folkmoot.store.cache import Cache
from folkmoot.store.ledger import Ledger
from folkmoot.store.spool import Spool
from folkmoot.wire import bundle, codec
from folkmoot.wire.messages import Ask, Body, Device, Hello, Invited, Status
from folkmoot.wire.topics import Tree
from folkmoot_gateway.node import QUIET, Gateway
from tests.kit import toy
from tests.kit.asks import ask
from tests.kit.ends import message

CLOUD, HOME = Tree("fl"), Tree("fl", "g1")
LINKED = Connected(False, Limits(8, 262_144))


class Region:
    """A gateway g1 with everything that it needs, connected both ways at 0."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache", 1 << 30)
        spool = Spool(folder / "spool")
        self.above = Lower(CLOUD, "g1", self.cache, spool, Ledger(folder / "g1.db"), 131_072)
        self.node = Gateway(self.above, Upper(HOME, "g1", spool, 65_536), self.cache, 90_000, lambda hop: 1)
        self.node.step([("up", LINKED), ("down", LINKED)], 0)

    def hear(self, now: int, *said: tuple[str, Body]) -> None:
        """Has members say something."""
        events = [("down", Arrived(HOME.topic(who, type(body)), message(who, "g1", body), False, None)) for who, body in said]
        self.node.step(events, now)

    def appear(self, now: int, name: str, hello: Hello) -> None:
        """Has a member come up."""
        status = Status(state="up", birth=1 + now, hello=codec.digest(codec.dump(hello)))
        self.hear(now, (name, status), (name, hello))

    def asked(self, now: int, wanted: Ask) -> dict[str, list[str]]:
        """Gives which leaves each member is asked for, when the cloud asks for this."""
        topic = CLOUD.topic("g1", Ask, CLOUD.shard(wanted.run))
        said = Arrived(topic, message("cloud", "g1", wanted, b"a" * 16, 60_000), False, None)
        journal = self.node.step([("up", said)], now)["down"].journal
        (opened,) = [event for _, event in journal if isinstance(event, Opened)]
        return {one.member: [leaf.device for leaf in one.each or ()] for one in opened.members}


def leaves(*names: str) -> Hello:
    """Gives the hello of a gateway of these."""
    return Hello(devices=tuple(Device(name, "up", 10, data=toy.CONTRACT) for name in names))


@pytest.mark.parametrize(("devices", "pause"), [(3, QUIET), (2_000, 2_000)])
def test_the_more_there_are_the_longer_what_is_new_of_them_waits(tmp_path: Path, devices: int, pause: int) -> None:
    region = Region(tmp_path)
    region.appear(1_000, "town", leaves(*(f"d{number}" for number in range(devices))))
    region.node.step([], 1_000 + QUIET)
    assert len(region.above.hello.devices or ()) == devices  # it was about nobody yet
    region.appear(9_000, "village", leaves("e1"))
    region.node.step([], 9_000 + pause - 1)
    assert len(region.above.hello.devices or ()) == devices
    region.node.step([], 9_000 + pause)
    assert len(region.above.hello.devices or ()) == devices + 1


def test_news_again_and_again_is_told_more_and_more_seldom_until_it_is_quiet(tmp_path: Path) -> None:
    region = Region(tmp_path)
    told = []
    for now in range(0, 12_000, 100):
        before = region.above.hello
        if now < 9_000:
            region.appear(now, f"d{now}", Hello(data=toy.CONTRACT, examples=3))
        else:
            region.node.step([], now)
        if region.above.hello is not before:
            told.append(now)
    assert [later - earlier for earlier, later in pairwise(told)] == [700, 1_300, 2_500, 2_500, 2_500]
    region.appear(20_000, "late", Hello(data=toy.CONTRACT, examples=3))
    region.node.step([], 20_000 + QUIET)
    assert "late" in {one.name for one in region.above.hello.devices or ()}


def test_a_heartbeat_is_no_news(tmp_path: Path) -> None:
    region = Region(tmp_path)
    hello = Hello(data=toy.CONTRACT, examples=3)
    region.appear(1_000, "d", hello)
    region.node.step([], 1_000 + QUIET)
    region.hear(9_000, ("d", Status(state="up", birth=1_001, hello=codec.digest(codec.dump(hello)))))
    assert region.node._dirty is None
    region.hear(9_100, ("d", Status(state="down", birth=1_001)))
    assert region.node._dirty == 9_100 + QUIET


def test_a_leaf_is_asked_by_way_of_the_gateway_that_has_listed_it_first(tmp_path: Path) -> None:
    region = Region(tmp_path)
    program = bundle.dump(toy.program(10))
    wanted = ask(
        program=region.cache.put(program),
        program_size=len(program),
        weights=region.cache.put(bytes(40)),
        size=40,
        each=tuple(Invited(name) for name in ("a", "b", "d", "e", "nobody")),
    )
    region.appear(1_000, "west", leaves("a", "b", "d"))
    region.appear(1_001, "east", leaves("b", "e"))
    region.appear(1_002, "d", Hello(data=toy.CONTRACT, examples=3))
    assert region.asked(2_000, wanted) == {"d": ["d"], "east": ["e"], "nobody": ["nobody"], "west": ["a", "b"]}
