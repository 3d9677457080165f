"""The cloud's program as one of several replicas: what it hears, what it says, and what it leaves to the others."""

from pathlib import Path

import pytest

from folkmoot.hop import events, round
from folkmoot.hop.batch import Batch
from folkmoot.hop.ids import ask_id
from folkmoot.hop.upper import Upper
from folkmoot.link.face import Arrived, Connected, Limits
from folkmoot.store.spool import Spool
from folkmoot.wire import codec
from folkmoot.wire.messages import Answer, Ask, Body, Device, Get, Hello, Receipt, Started, Status
from folkmoot.wire.topics import SHARDS, Tree
from folkmoot_cloud.runner.facts import GatewayTold, Given, RoundOpened
from folkmoot_cloud.runner.node import Cloud, Enter, Give, Take
from tests.kit import toy

TREE = Tree()
RUN = "run1"
SHARD = TREE.shard(RUN)
OTHERS = frozenset(SHARDS) - {SHARD}
LIMITS = Limits(32, 262_144)


def replica(folder: Path, shards: frozenset[str]) -> Cloud:
    """Gives a program that holds these shards and is connected."""
    node = Cloud(Upper(TREE, "cloud", Spool(folder), 65_536), 45_000, shards)
    node.step([("down", Connected(False, LIMITS))], 0)
    return node


def hear(node: Cloud, body: Body, ask: bytes = b"", shard: str = "-", now: int = 1, src: str = "g1") -> Batch:
    """Has a gateway say something; gives what comes of it."""
    envelope = codec.Envelope(id=b"i" * 16, src=src, dst="cloud", body=body, ask=ask, fresh=(1, 1))
    topic = TREE.upper_status if src == "cloud" else TREE.topic(src, type(body), shard)
    return node.step([("down", Arrived(topic, codec.seal(envelope), False, "token"))], now)["down"]


def come_up(node: Cloud, gateway: str = "g1", birth: int = 1) -> None:
    """Has a gateway with two devices come up."""
    hello = Hello(devices=tuple(Device(name, "up", 40, data=toy.CONTRACT) for name in ("a", "b")))
    hear(node, Status(state="up", birth=birth, hello=codec.digest(codec.dump(hello))), src=gateway)
    hear(node, hello, src=gateway)


ANSWER = Answer(base=0, weights=b"w" * 32, program=b"p" * 32, payload=b"x" * 32, size=9)


@pytest.mark.parametrize(
    "body", [ANSWER, Started(), Get(), Get(blob=b"b" * 32, chunk=4_096, count=1)], ids=lambda body: repr(body)[:12]
)
def test_what_belongs_to_another_replica_is_heard_in_silence(tmp_path: Path, body: Body) -> None:
    mine, others = replica(tmp_path / "a", frozenset({SHARD})), replica(tmp_path / "b", OTHERS)
    ask = b"a" * 16
    assert hear(mine, body, ask, SHARD).sends != []  # of a round that is over, for all that its holder knows
    batch = hear(others, body, ask, SHARD)
    assert (batch.sends, batch.faults, batch.acks) == ([], [], ["token"])
    assert batch.empty


def test_runs_that_come_with_their_shard_are_there_before_anything_that_comes_next(tmp_path: Path) -> None:
    node = replica(tmp_path, OTHERS)
    come_up(node)
    machine = opened_round(tmp_path / "before")
    key = machine.opened.key
    history = [(-5_000, machine.opened), (-4_000, events.Started("g1"))]
    started = hear_all(
        node, Take(frozenset({SHARD}), [Enter(toy.campaign(evaluate=False), history)]), Started(), ask=ask_id(key, "g1")
    )
    assert [type(send.body) for send in started.sends] == [Ask]  # asked again, as after any recovery; and not cancelled


def opened_round(folder: Path) -> round.Round:
    """Gives a round as a replica opens it."""
    node = replica(folder, frozenset(SHARDS))
    come_up(node)
    node.step([("runs", Enter(toy.campaign(evaluate=False)))], 10)
    (open,) = node._below.rounds.values()
    return open.round


def hear_all(node: Cloud, event: object, body: Body, ask: bytes) -> Batch:
    """Has an event and a message come in one step."""
    envelope = codec.Envelope(id=b"i" * 16, src="g1", dst="cloud", body=body, ask=ask, fresh=(1, 1))
    arrived = Arrived(TREE.topic("g1", type(body), SHARD), codec.seal(envelope), False, "token")
    return node.step([("leases", event), ("down", arrived)], 20)["down"]


def test_a_run_is_not_entered_without_its_shard(tmp_path: Path) -> None:
    node = replica(tmp_path, OTHERS)
    node.step([("runs", Enter(toy.campaign()))], 1)
    assert node.campaigns == {}


def test_a_gateway_that_came_back_while_nobody_had_its_round_is_asked(tmp_path: Path) -> None:
    node = replica(tmp_path / "a", OTHERS)
    come_up(node, birth=2)
    machine = opened_round(tmp_path / "b")
    history = [(-9_000, machine.opened), (-8_000, events.Away("g1"))]
    batch = node.step([("leases", Take(frozenset({SHARD}), [Enter(toy.campaign(evaluate=False), history)]))], 20)["down"]
    assert [event for _, event in batch.journal] == [events.Back("g1")]
    assert Ask in {type(send.body) for send in batch.sends}


@pytest.mark.parametrize(("bye", "event"), [(False, events.Away), (True, events.Gone)])
def test_a_gateway_that_went_while_nobody_had_its_round_is_not_waited_for(tmp_path: Path, bye: bool, event: type) -> None:
    node = replica(tmp_path / "a", OTHERS)
    come_up(node)
    hear(node, Status(state="down", birth=1, bye=bye))
    history = [(-9_000, opened_round(tmp_path / "b").opened)]
    batch = node.step([("leases", Take(frozenset({SHARD}), [Enter(toy.campaign(evaluate=False), history)]))], 20)["down"]
    assert [type(event) for _, event in batch.journal][:1] == [event]


def test_the_tables_hear_of_a_gateway_from_one_replica(tmp_path: Path) -> None:
    wrote = []
    for name, shards in (("a", frozenset({TREE.shard("g1")})), ("b", frozenset(SHARDS) - {TREE.shard("g1")})):
        node = replica(tmp_path / name, shards)
        come_up(node)
        wrote += [name for fact in node.facts if isinstance(fact, GatewayTold)]
        assert "g1" in node._below.roster.ready()  # everybody knows whom it can ask
    assert set(wrote) == {"a"}


def test_whoever_takes_a_shard_up_writes_what_it_has_heard_of_the_gateways_in_it(tmp_path: Path) -> None:
    node = replica(tmp_path, frozenset())
    come_up(node)
    assert node.facts == []
    node.step([("leases", Take(frozenset({TREE.shard("g1")})))], 2)
    assert [fact.gateway for fact in node.facts if isinstance(fact, GatewayTold)] == ["g1"]


def test_shards_with_a_run_are_not_given_away(tmp_path: Path) -> None:
    node = replica(tmp_path, frozenset(SHARDS))
    node.step([("runs", Enter(toy.campaign()))], 1)
    node.step([("leases", Give(300))], 2)
    assert [fact.shards for fact in node.facts if isinstance(fact, Given)] == [OTHERS]
    node.facts.clear()
    node.step([("leases", Give(1))], 3)
    assert node.facts == []
    come_up(node)
    assert any(isinstance(fact, RoundOpened) for fact in node.facts)


def test_a_cloud_that_hears_that_it_is_down_says_that_it_is_up(tmp_path: Path) -> None:
    node = replica(tmp_path, frozenset(SHARDS))
    batch = hear(node, Status(state="down", birth=0), src="cloud")
    assert [(send.body.state, send.retain) for send in batch.sends if isinstance(send.body, Status)] == [("up", True)]
    assert hear(node, Status(state="up", birth=0), src="cloud").sends == []
    garbage = node.step([("down", Arrived(TREE.upper_status, b"garbage", True, "token"))], 3)["down"]
    assert (garbage.sends, garbage.acks) == ([], ["token"])


def test_one_replica_of_all_shards_says_late_of_what_is_over(tmp_path: Path) -> None:
    batch = hear(replica(tmp_path, frozenset(SHARDS)), ANSWER, b"a" * 16, SHARD)
    assert [send.body for send in batch.sends] == [Receipt(status="late", payload=ANSWER.payload)]
