import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.wire.messages import TYPES, Answer, Body, Status
from folkmoot.wire.topics import SHARDS, Tree
from tests.kit.bodies import BODIES, NAMES

HOME, CLOUD = Tree("fl", "gw-1"), Tree("fl")
TREES = pytest.mark.parametrize("tree", [HOME, CLOUD], ids=["home", "cloud"])


def fits(pattern: str, topic: str) -> bool:
    """Whether an MQTT filter with `+` matches a topic."""
    levels, parts = pattern.split("/"), topic.split("/")
    return len(levels) == len(parts) and all(level in ("+", part) for level, part in zip(levels, parts, strict=True))


@TREES
@given(NAMES, st.sampled_from(sorted(TYPES.values(), key=str)), NAMES)
def test_a_topic_says_who_and_what(tree: Tree, member: str, body: type[Body], run: str) -> None:
    shard = tree.shard(run)
    topic = tree.topic(member, body, shard)
    place = tree.place(topic)
    assert place.member == member
    assert place.shard == (shard if tree is CLOUD else "-")
    assert topic.count("/") <= 7
    assert set(topic) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_/")


@TREES
@given(NAMES, st.sampled_from(sorted(TYPES.values(), key=str)))
def test_every_message_is_heard_by_the_other_end_once(tree: Tree, member: str, body: type[Body]) -> None:
    topic = tree.topic(member, body, tree.shard("run"))
    above = sum(fits(pattern, topic) for pattern in tree.upper_filters())
    below = sum(fits(pattern, topic) for pattern in tree.lower_filters(member))
    assert {above, below} == {0, 1}


@given(NAMES, NAMES, st.sampled_from(sorted(TYPES.values(), key=str)), st.integers(0, 256))
def test_replicas_that_share_the_shards_hear_each_message_once_and_all_hear_who_is_there(
    member: str, run: str, body: type[Body], part: int
) -> None:
    shares = (SHARDS[:part], SHARDS[part:])
    for shard in (CLOUD.shard(run), "-"):
        topic = CLOUD.topic(member, body, shard)
        above = any(fits(pattern, topic) for pattern in CLOUD.upper_filters())
        heard = [sum(fits(pattern, topic) for pattern in CLOUD.upper_filters(mine)) for mine in shares]
        mine = [shard in share for share in shares]
        everybody = body is Status or shard == "-"
        assert heard == [int(above and (everybody or one)) for one in mine]


@TREES
def test_a_member_hears_nothing_of_another_one(tree: Tree) -> None:
    for body in TYPES.values():
        topic = tree.topic("somebody", body, "0a")
        assert not any(fits(pattern, topic) for pattern in tree.lower_filters("another"))


@TREES
def test_all_members_hear_whether_the_upper_end_is_up(tree: Tree) -> None:
    for member in ("a", "b"):
        assert sum(fits(pattern, tree.upper_status) for pattern in tree.lower_filters(member)) == 1
    assert tree.place(tree.upper_status).direction == "status"


HOSTILE = [
    "",
    "/",
    "fl",
    "fl/v1/h/gw-1/dev",
    "fl/v1/h/gw-1/dev/up",
    "fl/v1/h/gw-1/dev/up/",
    "fl/v1/h/gw-1/dev/up/man/more",
    "fl/v1/h/gw-1/dev/up/man\n",
    "fl/v1/h/gw-1/dev\n/up/man",
    "fl/v1/h/gw-1/DEV/up/man",
    "fl/v1/h/gw-1/../up/man",
    "fl/v1/h/gw-1/+/up/man",
    "fl/v1/h/gw-1/#",
    "fl/v1/h/gw-2/dev/up/man",
    "fl/v2/h/gw-1/dev/up/man",
    "other/v1/h/gw-1/dev/up/man",
    "fl/v1/h/gw-1/" + "d" * 33 + "/up/man",
    "fl/v1/h/gw-1/dev/status/man",
    "fl/v1/c/gw-1/0A/up/man",
    "fl/v1/c/gw-1/0aa/up/man",
    "fl/v1/c/gw-1/up/man",
    "$SYS/broker/version",
    "fl/v1/h/gw-1/dev/dn/ask\x00",
    "fl/v1/h/gw-1/d\u00e9v/up/man",
]


@TREES
@pytest.mark.parametrize("topic", HOSTILE)
def test_a_topic_outside_the_tree_is_refused(tree: Tree, topic: str) -> None:
    with pytest.raises(PeerFault) as fault:
        tree.place(topic)
    assert fault.value.reason == "topic"


@TREES
@given(st.text(max_size=60))
def test_any_other_topic_is_in_the_tree_or_refused(tree: Tree, topic: str) -> None:
    try:
        tree.place(topic)
    except PeerFault as fault:
        assert fault.reason == "topic"


@TREES
@given(st.one_of(*BODIES.values()))
def test_a_message_may_stand_only_where_it_belongs(tree: Tree, body: Body) -> None:
    where = tree.topic("dev", type(body), "0a")
    for kind in TYPES.values():
        topic = tree.topic("dev", kind, "0a")
        assert tree.place(topic).admits(body) == (topic == where)
    assert not tree.place(tree.topic("dev", Answer, "0a").replace("man", "nonsense")).admits(body)
