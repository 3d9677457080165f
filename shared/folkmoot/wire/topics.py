"""Where messages go: one tree on a home's broker, one on the cloud's, the same shape in both.

    home:  fl/v1/h/{gateway}/{device}/status|up/{kind}|dn/{kind}      and  fl/v1/h/{gateway}/_gw/status
    cloud: fl/v1/c/{gateway}/{shard}/status|up/{kind}|dn/{kind}       shard: two hex digits of the run's, - for status, hello
    both:  fl/v1/probe/{name}       where a client may write to itself, which `folkmoot doctor` does; nobody else listens

At most seven slashes (AWS IoT Core allows no more), and no character that any broker maps to another.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from folkmoot.errors import PeerFault
from folkmoot.ids import NAME
from folkmoot.wire.messages import (
    Answer,
    Ask,
    Block,
    Body,
    Chunk,
    Get,
    Hello,
    Receipt,
    Refuse,
    Request,
    Started,
    Status,
    Telemetry,
)

MAJOR = "v1"
NONE = "-"  # the shard of what belongs to no run
SHARDS = tuple(f"{number:02x}" for number in range(256))

_KINDS: dict[type[Body], tuple[str, str]] = {
    Status: ("status", ""),
    Hello: ("up", "hello"),
    Started: ("up", "man"),
    Answer: ("up", "man"),
    Refuse: ("up", "ref"),
    Chunk: ("up", "chk"),
    Get: ("up", "get"),
    Telemetry: ("up", "met"),
    Ask: ("dn", "ask"),
    Receipt: ("dn", "rcp"),
    Block: ("dn", "blk"),
    Request: ("dn", "req"),
}
_ALLOWED: dict[tuple[str, str], frozenset[type[Body]]] = {}
for _body, _place in _KINDS.items():
    _ALLOWED[_place] = _ALLOWED.get(_place, frozenset()) | {_body}


@dataclass(frozen=True, slots=True)
class Place:
    """What a topic says about a message before it is read."""

    member: str  # the lower end: a device on a home's broker, a gateway on the cloud's
    shard: str
    direction: Literal["status", "up", "dn"]
    kind: str

    def admits(self, body: Body) -> bool:
        """Whether a message of this type may stand here."""
        return type(body) in _ALLOWED.get((self.direction, self.kind), frozenset())


@dataclass(frozen=True, slots=True)
class Tree:
    """The topics of one hop. `upper` is the gateway of a home, or "" for the cloud's own tree."""

    namespace: str = "fl"
    upper: str = ""

    def shard(self, run: str) -> str:
        """Gives the level that spread the runs of a cloud over its replicas, two hex digits; a home's tree is not cut."""
        return NONE if self.upper else hashlib.sha256(run.encode()).hexdigest()[:2]

    def _root(self, member: str, shard: str) -> str:
        if self.upper:
            return f"{self.namespace}/{MAJOR}/h/{self.upper}/{member}"
        return f"{self.namespace}/{MAJOR}/c/{member}/{shard}"

    def topic(self, member: str, body: type[Body], shard: str = NONE) -> str:
        """Gives where a message of type `body` from or to `member` goes."""
        direction, kind = _KINDS[body]
        return f"{self._root(member, shard)}/{direction}/{kind}" if kind else f"{self._root(member, shard)}/{direction}"

    @property
    def upper_status(self) -> str:
        """Gives where the upper end itself says that it is up."""
        return f"{self._root('_gw', '_up')}/status" if self.upper else f"{self.namespace}/{MAJOR}/c/_cloud/-/status"

    def upper_filters(self, shards: Collection[str] = SHARDS) -> tuple[str, ...]:
        """Gives what the upper end subscribes to: non-overlapping. `shards`: those of a cloud's tree that it hears."""
        one = "+" if self.upper else "+/+"
        base = f"{self.namespace}/{MAJOR}/" + (f"h/{self.upper}" if self.upper else "c")
        if self.upper or len(shards) == len(SHARDS):
            return (f"{base}/{one}/up/+", f"{base}/{one}/status")
        return (f"{base}/{one}/status", *(f"{base}/+/{shard}/up/+" for shard in (NONE, *sorted(shards))))

    def lower_filters(self, member: str) -> tuple[str, ...]:
        """Gives what a member subscribes to: non-overlapping."""
        return (f"{self._root(member, '+')}/dn/+", self.upper_status)

    def place(self, topic: str) -> Place:
        """Gives what `topic` says.

        Raises PeerFault("topic") for one that is not in this tree.
        """
        found = _HOME.match(topic) if self.upper else _CLOUD.match(topic)
        if not found or found["ns"] != self.namespace or (self.upper and found["up"] != self.upper):
            raise PeerFault("topic", f"{topic!r} is not in the tree")
        if found["member"] in ("_gw", "_cloud") and topic != self.upper_status:
            raise PeerFault("topic", f"{topic!r}: an upper end has nothing but its status")
        shard = NONE if self.upper else found["shard"]
        return Place(found["member"], shard, found["dir"] or "status", found["kind"] or "")  # type: ignore[arg-type]


def probe(namespace: str, name: str) -> str:
    """Gives where a client of this name may write to itself."""
    return f"{namespace}/{MAJOR}/probe/{name}"


_ID = NAME.removeprefix("^").removesuffix(r"\Z")
_TAIL = r"/(?:status|(?P<dir>up|dn)/(?P<kind>[a-z]{1,8}))\Z"
_NS = rf"^(?P<ns>{_ID})/{MAJOR}/"
_HOME = re.compile(_NS + rf"h/(?P<up>{_ID})/(?P<member>_gw|{_ID})" + _TAIL)
_CLOUD = re.compile(_NS + rf"c/(?P<member>_cloud|{_ID})/(?P<shard>-|[0-9a-f]{{2}})" + _TAIL)
