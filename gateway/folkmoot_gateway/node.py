"""A gateway: a member whose work is a round.

Above, it takes Asks as a device does; the work of an Ask is a round with the members below, whose sums are the answer. All of
it is one machine without I/O: what comes over both links goes in, what comes out is stored in one transaction and then done.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from folkmoot.errors import DiskFault, PeerFault, StoreFault, UserFault
from folkmoot.hop import events, member, round
from folkmoot.hop.answers import PREFIX as MEMBER
from folkmoot.hop.batch import Batch, Event
from folkmoot.hop.lower import Lower
from folkmoot.hop.open_round import Open
from folkmoot.hop.ports import Blobs
from folkmoot.hop.upper import PREFIX as ROUND
from folkmoot.hop.upper import Upper
from folkmoot.link.face import Arrived, Connected, Disconnected
from folkmoot.serve import edge
from folkmoot.serve.driver import Input
from folkmoot.serve.sums import Sums
from folkmoot.wire import bundle, partial
from folkmoot.wire.messages import Ask, Device, Hello, Invited
from folkmoot.wire.partial import Leaf
from folkmoot_gateway.alone import Alone

log = logging.getLogger(__name__)

# A home is late as a whole, never half: its round ends before its parent's by a tenth of the time, within these limits (ms).
MARGIN_LEAST, MARGIN_MOST = 250, 5_000
# When a home is switched on, its devices appear one after another: the cloud hears of them together (ms). While there is news
# again and again, each time takes twice as long as the one before.
QUIET, QUIET_MOST = 300, 2_400
QUIET_EACH = 1  # ms for each that it has named before: news of thousands, which are said as a whole, do not fill the line

History = tuple[str, list[tuple[int, Event]]]
"""A machine's key and its events with their times."""
Kept = Callable[[str, bytes], bytes | None]
"""Gives the payload that an owner keeps under a sha256."""


class Gateway:
    """The program of a gateway, without its I/O (folkmoot.serve.driver.Node)."""

    def __init__(self, above: Lower, below: Upper, cache: Blobs, grace: int, births: Callable[[str], int]) -> None:
        """`grace`: ms from away to gone for the members below; `births`: gives the counter of a hop's present connection."""
        self._above = above
        self._below = below
        self._cache = cache
        self._grace = grace
        self._births = births
        self._alone = Alone()
        self._dirty: int | None = None  # when to tell the cloud what has changed at home
        self._told: int | None = None  # when it was told last
        self._quiet = QUIET
        self._payload: Kept = lambda owner, sha256: None
        self.thrifty = True
        """Whether the sums that are let go are gone: not where somebody wants to look at them."""

    @property
    def wake(self) -> int | None:
        """When to step although nothing has come."""
        over = [until(open) for open in self._below.rounds.values() if open.round.state == "closed"]
        wakes = (self._above.wake, self._below.wake, self._alone.wake, self._dirty, *over)
        return min([at for at in wakes if at is not None], default=None)

    def restore(self, histories: Sequence[History], payload: Kept) -> list[str]:
        """Rebuilds what was under way from the journal; `payload(owner, sha256)` gives the answers that were kept.

        Gives the machines that cannot be gone on with: they must be forgotten before the first step, so that their Ask, when it
        comes again, begins anew.
        """
        self._payload = payload
        for key, history in histories:
            if key.startswith(MEMBER):
                self._above.restore(history)  # type: ignore[arg-type]
        rounds = [(key, history) for key, history in histories if key.startswith(ROUND)]
        return [key for key, history in rounds if not self._restore(key.removeprefix(ROUND), history, payload)]

    def step(self, inputs: Sequence[Input], now: int) -> Mapping[str, Batch]:
        """Takes all that has come."""
        up, down = Batch(now), Batch(now)
        for source, event in inputs:
            match source, event:
                case "up", Arrived():
                    self._above.receive(up, event.topic, event.payload)
                    up.acks.append(event.token)
                case "down", Arrived():
                    self._hear(down, event)
                case "up", Connected():
                    self._alone.linked = True
                    self._above.limits(event.limits.max_packet)
                    self._above.connected(up, self._births("up"), event.resumed)
                case "up", Disconnected():
                    self._alone.linked = False
                    self._above.disconnected()
                case "down", Connected():
                    self._below.connected(down, event.limits.max_packet, self._births("down"))
                case _:
                    pass
        self._above.tick(up)
        self._below.tick(down)
        self._turn(up, down)
        self._go_on(up, down)
        if self._dirty is not None and self._dirty <= now:
            self._introduce(up)
        return {"up": up, "down": down}

    def perform(self) -> None:
        """A gateway's work is all in its machines."""

    def rest(self) -> Mapping[str, Hello]:
        """Gives what this gateway says of itself to the cloud."""
        return {"up": self._above.hello}

    # What has changed.

    def _hear(self, down: Batch, event: Arrived) -> None:
        self._below.receive(down, event.topic, event.payload)
        down.acks.append(event.token)
        if self._dirty is None and self._below.roster.news:
            often = self._told is not None and down.now - self._told < QUIET_MOST
            self._quiet = min(2 * self._quiet, QUIET_MOST) if often else QUIET
            self._dirty = down.now + max(self._quiet, len(self._above.hello.devices or ()) * QUIET_EACH)

    def _home(self) -> tuple[Device, ...]:
        """Gives the leaves below, as the hello lists them."""
        found: list[Device] = []
        for name, entry in sorted(self._below.roster.entries.items()):
            hello = entry.hello
            if hello is None:
                continue
            if hello.devices is not None:
                found += hello.devices if entry.state == "up" else ()
            else:
                why_not = "" if hello.ready else hello.why_not or "it is not ready"
                about = (hello.examples, hello.software, hello.runtime, hello.memory, hello.data, why_not)
                found.append(Device(name, entry.state, *about))
        return tuple(found)

    def _introduce(self, up: Batch) -> None:
        self._dirty, self._told, self._below.roster.news = None, up.now, False
        devices = self._home()
        hello: Hello = msgspec.structs.replace(
            self._above.hello, devices=devices, examples=sum(one.examples for one in devices)
        )
        if hello != self._above.hello:
            self._above.hello = hello
            self._above.announce(up)

    # From one end to the other.

    def _turn(self, up: Batch, down: Batch) -> None:
        """Begins and ends rounds until both ends agree."""
        while True:
            wanted, self._above.wanted = self._above.wanted, []
            unwanted, self._above.unwanted = self._above.unwanted, []
            closed = [open for open in self._below.rounds.values() if open.round.state == "closed" and not self._kept(up, open)]
            if not (wanted or unwanted or closed):
                return
            for item in unwanted:
                self._end(up, down, item)
            for item in wanted:
                if item.state == "working":
                    self._begin(up, down, item)
            for open in closed:
                self._finish(up, down, open)

    def _end(self, up: Batch, down: Batch, item: member.Member) -> None:
        """Ends a round whose Ask is over: without a word, or where it may count belatedly with what is there by now."""
        key = item.id.hex()
        if item.state != "working" or item.ask.offline is None:
            self._below.tell(down, key, events.Stopped("upper"))
            self._below.forget(down, key)
        elif key in self._below.rounds:
            self._below.tell(down, key, events.Stopped("upper"))
        else:
            self._above.tell(up, item, member.Failed("cancelled"))

    def _kept(self, up: Batch, open: Open) -> bool:
        """Says whether a closed round has answered and is kept: its Ask may come again, with fewer leaves."""
        item = self._above.members.get(bytes.fromhex(open.key))
        asked = item is None or (item.local is None and (item.state == "offering" or item.delivered))
        return asked and up.now < until(open)

    def _begin(self, up: Batch, down: Batch, item: member.Member) -> None:
        """An Ask from above becomes a round below, or takes the leaves that it no longer has out of the one that it is."""
        key = item.id.hex()
        if key in self._below.rounds:
            self._retract(down, item)
            return
        for other in list(self._below.rounds.values()):  # of the same run: a newer Ask says that its round is over above
            over = other.round.state == "closed" and other.round.opened.ask.run == item.ask.run
            if over and item.local is None and self._kept(up, other):
                self._below.forget(down, other.key)
        try:
            sums, blobs, contract = self._numbers(item.ask)
        except DiskFault:
            raise
        except (PeerFault, StoreFault, UserFault) as fault:
            if isinstance(fault, StoreFault) and item.local is None:
                # A blob has rotted since it came. As if the Ask had come again: it waits until the blob is here once more.
                self._above.tell(up, item, member.Asked(item.id, item.ask, item.deadline))
            else:
                self._above.tell(up, item, member.Failed("bad_program", str(fault)))
            return
        left = item.deadline - down.now
        margin = min(max(left // 10, MARGIN_LEAST), MARGIN_MOST)
        terms = events.Terms(
            deadline=item.deadline - margin,
            minimum=1,
            goal=item.ask.goal,
            grace=self._grace,
            welcome=item.ask.each is None,
        )
        # What comes late to this round is late: a home's answer counts belatedly as a whole, and only at the top.
        ask: Ask = msgspec.structs.replace(item.ask, each=None, goal=0, offline=None)
        members = self._invite(item.ask, contract)
        self._below.open(down, events.Opened(key, ask, terms, members), sums, blobs)

    def _go_on(self, up: Batch, down: Batch) -> None:
        """Begins local rounds where the cloud has been away for long enough."""
        self._alone.look(self._above.upper_up, up.now)
        due = self._alone.due(self._above.members.values(), up.now)
        for item in due:
            try:
                layout = bundle.program(self._cache.read(item.ask.program)).manifest.layout
                answer = self._above.payload(up, item) or b""
                block = edge.step(item.ask, layout, self._weights(up, item), answer)
            except (PeerFault, StoreFault, UserFault) as fault:
                log.warning("the home does not go on by itself", extra={"run": item.ask.run, "reason": str(fault)})
                self._alone.give_up(item)
                continue
            self._above.go_on(up, item, block)
            log.info("the cloud is away: a local round begins", extra={"run": item.ask.run, "round": item.ask.round})
        if due:
            self._turn(up, down)

    def _weights(self, up: Batch, item: member.Member) -> bytes:
        """Gives the block that an Ask started from. Raises StoreFault where it is not here, whole."""
        kept = self._above.payload(up, item, item.ask.weights) if item.local is not None else None
        return self._cache.read(item.ask.weights) if kept is None else kept

    def _numbers(self, ask: Ask) -> tuple[Sums, Mapping[bytes, bytes], str]:
        """Gives what a round with this Ask needs: the sums, the blobs that members may pull, the name of the data contract."""
        program = self._cache.read(ask.program)
        manifest = bundle.program(program).manifest
        return (
            Sums(ask, manifest.layout),
            {ask.program: program, ask.weights: self._cache.read(ask.weights)},
            manifest.contract.name,
        )

    def _invite(self, ask: Ask, contract: str) -> tuple[events.Invitation, ...]:
        """Gives who is asked: the leaves that the Ask names, each by way of the member that it is below; or all that can."""
        ready = self._below.roster.ready()
        if ask.each is None:
            able = [name for name, hello in ready.items() if hello.devices is not None or hello.data == contract]
            return tuple(
                events.Invitation(name, None if ready[name].devices is not None else (Invited(name),)) for name in able
            )
        ways = self._ways()
        by_way: dict[str, list[Invited]] = {}
        for leaf in ask.each:
            by_way.setdefault(ways.get(leaf.device, leaf.device), []).append(leaf)
        return tuple(
            events.Invitation(name, tuple(leaves), -(-ask.goal * len(leaves) // len(ask.each)), here=name in ready)
            for name, leaves in sorted(by_way.items())
        )

    def _ways(self) -> dict[str, str]:
        """Gives the gateway below that leads to a leaf, by its name; all other leaves are members themselves."""
        entries = self._below.roster.entries
        listed = [(name, entry.hello.devices) for name, entry in entries.items() if entry.hello is not None]
        # Of two that list the same one, the first one that we have heard of.
        return {one.name: name for name, devices in reversed(listed) for one in devices or () if one.name not in entries}

    def _retract(self, down: Batch, item: member.Member) -> None:
        """Takes out of a round what its Ask had and has no more. Raises StoreFault where an answer in it is gone."""
        key = item.id.hex()
        if item.ask.each is None:
            return
        asked = {leaf.device for leaf in item.ask.each}
        for device in sorted(self._below.rounds[key].round.devices - asked):
            if not self._below.retract(down, key, device, lambda sha256: self._payload(ROUND + key, sha256)):
                raise StoreFault(f"an answer with {device} in it is gone from the store: it cannot be taken out of {key}")

    def _finish(self, up: Batch, down: Batch, open: Open) -> None:
        """A round below is over: its sums are the answer, unless nobody above wants it any more."""
        item = self._above.members.get(bytes.fromhex(open.key))
        if item is None or item.state != "working":
            self._below.forget(down, open.key)
            return
        assert isinstance(open.sums, Sums)
        if open.spent:
            open.add_up(lambda sha256: self._payload(ROUND + open.key, sha256))
        sums = with_traffic(with_fates(open.sums.partial(), open.round), open)
        self._above.worked(up, item, partial.dump(sums))
        open.spent = True
        if self.thrifty:
            open.sums.clear()
        if indivisible(item.ask):
            for merge in open.round.merged:
                down.drop(ROUND + open.key, merge.payload)
            open.kept = 0

    def _restore(self, key: str, history: Any, payload: Kept) -> bool:
        """Rebuilds one round, also one that has answered; says False for one whose blobs or answers are gone."""
        try:
            item = self._above.members.get(bytes.fromhex(key))
            if item is not None and item.local is not None and (block := payload(MEMBER + key, item.ask.weights)) is not None:
                self._cache.put(block)
            sums, blobs, _ = self._numbers(history[0][1].ask)
            over = item is not None and item.state != "working" and indivisible(item.ask)
            self._below.restore(key, history, sums, blobs, None if over else lambda sha256: payload(ROUND + key, sha256))
        except DiskFault:
            raise  # what cannot be read now is not gone
        except (PeerFault, StoreFault, UserFault) as fault:
            log.warning("a round under way is begun anew", extra={"round": key, "reason": str(fault)})
            return False
        return True


def until(open: Open) -> int:
    """Gives until when a closed round is kept: then its parent is over as well, in ms of the timeline."""
    return open.round.opened.terms.deadline + MARGIN_MOST


def indivisible(ask: Ask) -> bool:
    """Whether nothing can be taken out of an answer but all that it is: what it was made of is then not needed again."""
    return ask.each is not None and len(ask.each) <= 1


def with_fates(sums: partial.Partial, machine: round.Round) -> partial.Partial:
    """Gives the partial with a word about every leaf that was asked and is not in it."""
    told = {leaf.device for leaf in sums.leaves}
    missing = [
        Leaf(one.device, seat.fate)
        for seat in machine.seats.values()
        if seat.state != "taken"
        for one in seat.each or ()
        if one.device not in told
    ]
    leaves = tuple(sorted((*sums.leaves, *missing), key=lambda leaf: leaf.device))
    return msgspec.structs.replace(sums, leaves=leaves)


def with_traffic(sums: partial.Partial, open: Open) -> partial.Partial:
    """Gives the partial with the bytes that this hop has cost added to those below it."""
    up, down = (sum(column) for column in zip((0, 0), *open.traffic.values(), strict=True))
    metrics = dict(sums.metrics)
    metrics["bytes_up"] = metrics.get("bytes_up", 0) + up
    metrics["bytes_down"] = metrics.get("bytes_down", 0) + down
    return msgspec.structs.replace(sums, metrics=metrics)
