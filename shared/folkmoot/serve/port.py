"""One hop of a node on the wire: its link, what leaves over it, and the counter of its births."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from folkmoot.clock import Timeline
from folkmoot.hop.batch import Batch, Fault, Send
from folkmoot.link.face import Arrived, Connected, Disconnected, Event, Failed, Last, Link, Stopped
from folkmoot.serve.outlet import Outlet
from folkmoot.store.ledger import Ledger
from folkmoot.wire.messages import Status

log = logging.getLogger(__name__)

AHEAD = 64  # numbers of connections that are set aside at once: at a reconnect a minute, an hour of them
FAULTS = 1_000  # kinds of fault that are remembered as logged; a sender that has more of them is heard of by their number


def _without_a_word() -> None:
    """Goes."""


def _unheard(up: bool) -> None:
    """Hears nothing."""


class Births:
    """Counts the connections of one hop: a will of an earlier one can be told from the last birth.

    What is stored is the last number that may have been used, AHEAD of those that are: a link that comes and goes wears out no
    card, and one that is lost while the disk is full comes back all the same.
    """

    __slots__ = ("_last", "_ledger", "_name", "current")

    def __init__(self, ledger: Ledger, hop: str) -> None:
        self._ledger = ledger
        self._name = f"birth/{hop}"
        self.current = self._last = int(ledger.fact(self._name, 0))

    def next(self) -> int:
        """Gives the counter of the connection that is about to be made. Raises StoreFault."""
        if self.current >= self._last:
            self._ledger.commit((), {self._name: self.current + AHEAD}, firm=True)
            self._last = self.current + AHEAD
        self.current += 1
        return self.current


class Port:
    """Joins a node to a link: what arrives goes to the node, what a stored batch says goes out."""

    __slots__ = (
        "_faults",
        "_leaving",
        "_post",
        "_stopped",
        "_timeline",
        "farewell",
        "faults",
        "hop",
        "link",
        "outlet",
        "standing",
    )

    def __init__(self, hop: str, post: Callable[[str, Any], None], timeline: Timeline) -> None:
        """`post(hop, event)` puts an event into the node's inbox."""
        self.hop = hop
        self._post = post
        self._timeline = timeline
        self._faults: dict[tuple[str, str], None] = {}  # kinds that have been logged
        self.faults = 0
        self.link: Link
        self.outlet: Outlet
        self.farewell: Callable[[], Last | None] = _without_a_word
        self.standing: Callable[[bool], None] = _unheard
        """Hears that the link has come or gone."""
        self._stopped = False
        self._leaving: asyncio.Event | None = None

    def attach(self, link: Link, outlet: Outlet) -> None:
        """Takes the link and its queue; the link needs our sink before it can be made."""
        self.link, self.outlet = link, outlet

    def hear(self, event: Event) -> None:
        """Takes what the link says: the link's sink."""
        if isinstance(event, Arrived):
            self._post(self.hop, event)
            return
        failed = self.outlet.hear(event, self._timeline.now)
        if failed is not None and isinstance(event, Failed):
            about = {"hop": self.hop, "kind": type(failed.body).__name__, "reason": event.reason}
            log.warning("the broker refused a message", extra=about)
        if isinstance(event, Connected | Disconnected):
            self.standing(isinstance(event, Connected))
            self._post(self.hop, event)
        elif isinstance(event, Stopped):
            self._stopped = True
            if self._leaving is not None:
                self._leaving.set()

    async def leave(self, *, for_good: bool = True) -> None:
        """Says goodbye if it is for good, and waits until the link is down."""
        self._leaving = asyncio.Event()
        self.link.stop(self.farewell() if for_good else None)
        if not self._stopped:
            await self._leaving.wait()

    def perform(self, batch: Batch) -> None:
        """Does what a stored batch says."""
        if batch.sends:
            self.outlet.post(batch.sends, self._timeline.now())
        for token in batch.acks:
            self.link.ack(token)
        for fault in batch.faults:
            self._log(fault)

    def will(self, member: str, birth: int, delay_s: int) -> Last:
        """Gives what the broker says for us when it has lost us."""
        return self.outlet.last(Send(member, Status(state="down", birth=birth), retain=True), delay_s)

    def goodbye(self, member: str, birth: int) -> Last:
        """Gives what we say before we go on purpose."""
        return self.outlet.last(Send(member, Status(state="down", birth=birth, bye=True), retain=True))

    def _log(self, fault: Fault) -> None:
        self.faults += 1
        kind = (fault.member, fault.reason)
        if kind not in self._faults and len(self._faults) < FAULTS:
            self._faults[kind] = None
            log.warning(
                "message refused",
                extra={"hop": self.hop, "member": fault.member, "reason": fault.reason, "detail": fault.detail},
            )
