"""What can happen to a round. Every event is journalled, so that a crash can be replayed: its tag is the name of its class."""

import msgspec

from folkmoot.wire.messages import Ask, Invited


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """When a round is over."""

    deadline: int  # ms of the timeline
    minimum: int = 1  # leaves below which nothing is made of it
    goal: int = 0  # leaves with which it closes at once; 0: when nobody is left to wait for
    grace: int = 90_000  # ms from away to gone: 1.5 keepalives of 60 s
    welcome: bool = False  # members that come up in mid-round are asked too
    # Asynchronous where this is a number: so many members still work for earlier rounds. Their answers count towards the goal,
    # and whoever works when the round closes goes on.
    behind: int | None = None


class Invitation(msgspec.Struct, frozen=True):
    """A member that the round starts with."""

    member: str
    each: tuple[Invited, ...] | None = None
    goal: int = 0
    here: bool = True  # False: away now, asked when it comes back in time


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The first event of every round."""

    key: str  # unique for ever: ask ids derive from it
    ask: Ask  # without inline weights, `each` and `goal`: those differ from member to member
    terms: Terms
    members: tuple[Invitation, ...]


class Started(msgspec.Struct, frozen=True, tag=True):
    """A member has the Ask."""

    member: str


class Answered(msgspec.Struct, frozen=True, tag=True):
    """A whole answer is here and was judged."""

    member: str
    payload: bytes  # its sha256
    leaves: tuple[str, ...] = ()  # devices whose updates are in it
    rejection: str = ""  # why it must not merge


class Belated(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A whole answer to an Ask of an earlier round is here, was judged, and counts in this one."""

    member: str
    ask: bytes  # the id of the Ask that it answers
    round: int  # whose Ask that was
    local: int = 0  # number of the local round whose sums it brings; 0: it answers the Ask itself
    base: int  # version and weights that it is relative to; with `local`, that its first local round was
    weights: bytes
    factor: int  # what it counts, in 1,024ths
    payload: bytes  # its sha256
    leaves: tuple[str, ...]  # devices whose updates are in it: of that Ask, hence not in the way of the same ones of this


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A member will not do it."""

    member: str
    reason: str


class Away(msgspec.Struct, frozen=True, tag=True):
    """The broker says that a member's connection is lost."""

    member: str


class Back(msgspec.Struct, frozen=True, tag=True):
    """A member is connected anew."""

    member: str


class Gone(msgspec.Struct, frozen=True, tag=True):
    """A member said goodbye."""

    member: str


class AskedAgain(msgspec.Struct, frozen=True, tag=True):
    """A member wants the open Ask once more: it was asleep, or restarted."""

    member: str


class Joined(msgspec.Struct, frozen=True, tag=True):
    """A member that was not invited came up."""

    member: str
    each: tuple[Invited, ...] | None = None


class Retracted(msgspec.Struct, frozen=True, tag=True):
    """A device is to be out of the round, as if it had never been in it."""

    device: str


class Woke(msgspec.Struct, frozen=True, tag=True):
    """The time that `wake` named has come."""


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """Somebody ends the round: an operator, or a newer Ask of the same run."""

    reason: str


Event = Opened | Started | Answered | Belated | Refused | Away | Back | Gone | AskedAgain | Joined | Retracted | Woke | Stopped
