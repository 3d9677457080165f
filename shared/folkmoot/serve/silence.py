"""What one hop of a node hears and says while nothing can be stored (folkmoot.hop.standstill), on its link."""

from collections.abc import Collection
from typing import Any

from folkmoot.errors import DiskFault
from folkmoot.hop.answers import PREFIX as MEMBER
from folkmoot.hop.lower import HEARTBEAT
from folkmoot.hop.standstill import Standstill
from folkmoot.link.face import Arrived, Connected
from folkmoot.serve.port import Births, Port
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree


class Silence:
    """One hop. The upper end of one says nothing at all: its members have not been told ok, and will say it again."""

    def __init__(self, port: Port, tree: Tree, me: str, births: Births, *, upper: bool, limit: int) -> None:
        """`limit`: bytes of the largest message that the link takes."""
        self._port = port
        self._tree = tree
        self._me = me
        self._births = births
        self._upper = upper
        self._limit = limit
        self._end: Standstill | None = None
        self._again = 0  # ms of the timeline: when to say it again, for a broker may lose it

    def begin(self, hello: Hello | None, machines: Collection[str], fault: DiskFault) -> None:
        """Takes what the node said of itself until now, the keys of the machines in the store, and what has happened."""
        if self._upper or hello is None:
            return
        known = {bytes.fromhex(key.removeprefix(MEMBER)) for key in machines if key.startswith(MEMBER)}
        reason = "no_room" if fault.full else "store"
        self._end = Standstill(self._tree, self._me, hello, known, self._limit, reason, fault.why)

    def announce(self, now: int) -> None:
        """Says it, if it is time to."""
        if self._end is not None and now >= self._again:
            self._again = now + HEARTBEAT
            self._port.outlet.post(self._end.announce(self._births.current), now)

    def hear(self, event: Any, now: int) -> None:
        """Takes what the port says. Nothing is acknowledged."""
        if self._end is None:
            return
        if isinstance(event, Connected):
            self._again = 0
            self.announce(now)
        elif isinstance(event, Arrived):
            self._port.outlet.post(self._end.receive(event.topic, event.payload), now)
