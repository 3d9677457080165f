"""Who is there: birth, will, goodbye and readiness of the members below one upper end."""

from typing import Literal

import msgspec

from folkmoot.wire.messages import Hello, Status

Change = Literal["back", "away", "gone"]


class Entry(msgspec.Struct):
    """What is known of one member."""

    state: Literal["up", "sleeping", "away", "gone"] = "gone"
    birth: int = -1  # of the newest connection that we have heard of
    wants: bytes = b""  # digest of the hello that its status names
    has: bytes = b""  # digest of the hello that is here
    hello: Hello | None = None
    seen: int = 0  # ms of the timeline
    software: str = ""

    @property
    def known(self) -> bool:
        """Whether the hello that holds now is here."""
        return self.hello is not None and self.has == self.wants


class Roster:
    """The members of one upper end, by name."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._hellos: dict[bytes, Hello] = {}  # of devices, by their digests
        self.news = False
        """Whether a state or a hello has changed, for whoever sets this back."""

    def status(self, member: str, status: Status, now: int) -> Change | None:
        """Takes a status; gives what it changes. A status with an older birth counter changes nothing."""
        entry = self.entries.setdefault(member, Entry())
        if status.birth < entry.birth:
            return None
        fresh = status.birth > entry.birth
        before = entry.state
        entry.birth, entry.seen, entry.software = status.birth, now, status.software or entry.software
        if status.state in ("up", "sleeping"):
            entry.state = status.state
            entry.wants = status.hello
            self.news |= entry.state != before
            return "back" if fresh or before in ("away", "gone") else None
        entry.state = "gone" if status.bye else "away"
        self.news |= entry.state != before
        return entry.state if entry.state != before else None

    def hello(self, member: str, hello: Hello, digest: bytes, now: int) -> bool:
        """Takes a hello with its digest; says whether it is news. One that the status does not name is an older one."""
        entry = self.entries.setdefault(member, Entry())
        entry.seen = now
        if entry.known and digest != entry.wants:
            return False
        if hello.devices is None:
            self._hellos[digest] = hello
            if len(self._hellos) > 2 * len(self.entries):  # half of them are of nobody any more
                held = [(one.has, one.hello) for one in self.entries.values() if one.hello is not None]
                self._hellos = {sha256: hello for sha256, hello in held if hello.devices is None}
        return self._learn(entry, hello, digest)

    def adopt(self, member: str) -> bool:
        """Takes the hello that a member's status names from another device, whose is the same; says whether one's is."""
        entry = self.entries.get(member)
        hello = None if entry is None else self._hellos.get(entry.wants)
        if entry is None or hello is None:
            return False
        self._learn(entry, hello, entry.wants)
        return True

    def _learn(self, entry: Entry, hello: Hello, digest: bytes) -> bool:
        news = entry.hello != hello
        self.news |= news
        entry.hello, entry.has = hello, digest
        return news

    def missing(self, member: str) -> bool:
        """Whether the member must be asked for its hello."""
        entry = self.entries.get(member)
        return entry is None or (entry.state in ("up", "sleeping") and not entry.known)

    def ready(self) -> dict[str, Hello]:
        """Gives the members that can be asked now, with their hellos, sorted by name."""
        return {
            name: entry.hello
            for name, entry in sorted(self.entries.items())
            if entry.state == "up" and entry.hello is not None and entry.hello.ready
        }
