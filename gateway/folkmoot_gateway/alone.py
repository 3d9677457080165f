"""When a home goes on by itself: its cloud has been away for a while, and the policy of a run lets it run local rounds."""

from collections.abc import Collection, Iterable

from folkmoot.hop.member import Local, Member

# ms without a cloud after which a home no longer waits for it: an upper end calls a member gone after 1.5 keepalives of 60 s.
PATIENCE = 90_000


class Alone:
    """What a gateway knows of its uplink. No I/O, no clock."""

    def __init__(self) -> None:
        self.linked = False
        self.wake: int | None = None
        self._since: int | None = None  # when the cloud was last known to be there
        self._hopeless: set[bytes] = set()  # Asks whose answers nothing can be learnt from

    def look(self, upper_up: bool, now: int) -> None:
        """Notes whether the cloud is there."""
        if self.linked and upper_up:
            self._since = None
        elif self._since is None:
            self._since = now

    def due(self, members: Collection[Member], now: int) -> list[Member]:
        """Gives the members whose next local round is to be begun now; sets `wake`."""
        if self._since is None:
            self.wake = None
            return []
        self._hopeless.intersection_update([one.id for one in members])
        ready = [one for one in newest(members) if one.id not in self._hopeless and now < until(one)]
        begin = self._since + PATIENCE
        self.wake = begin if begin > now and any(begin < until(one) for one in ready) else None
        return ready if begin <= now else []

    def give_up(self, member: Member) -> None:
        """Notes that there is no going on from this answer."""
        self._hopeless.add(member.id)


def newest(members: Iterable[Member]) -> list[Member]:
    """Gives, of each run, the newest Ask of a training round, where its answer is offered and a local round may follow it."""
    last: dict[str, Member] = {}
    for one in members:
        if one.ask.phase == "train" and (one.ask.run not in last or place(last[one.ask.run]) < place(one)):
            last[one.ask.run] = one
    return [
        one
        for one in last.values()
        if one.state == "offering" and one.ask.offline is not None and number(one.local) < one.ask.offline.rounds
    ]


def place(member: Member) -> tuple[int, int]:
    """Gives where an Ask stands in its run: its round, and the local rounds after it."""
    return (member.ask.round, number(member.local))


def number(local: Local | None) -> int:
    """Gives the number of a local round; 0 for an Ask of the cloud's."""
    return 0 if local is None else local.number


def until(member: Member) -> int:
    """Gives when the last local round after this Ask must have begun, in ms of the timeline."""
    if member.local is not None:
        return member.local.until
    return member.deadline + (member.ask.offline.seconds * 1000 if member.ask.offline is not None else 0)
