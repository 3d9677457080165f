"""What can go wrong, told apart by whose fault it is.

A person's mistake ends as one sentence and exit code 2, a peer's as a rejected message that changes nothing, ours as a bug
report. Nothing else is raised on purpose.
"""


class FolkmootError(Exception):
    """Anything that this project raises on purpose."""


class UserFault(FolkmootError):
    """A person asked for something that cannot be: one sentence that says what to do instead."""


class PeerFault(FolkmootError):
    """A message from another node is malformed, oversized, from the wrong sender or against the protocol.

    `reason` is one word of the protocol's vocabulary (docs/protocol.md, Reasons); the message says what came.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class MisuseFault(FolkmootError):
    """Our own code asked a machine for a move that its table does not have: a bug."""


class StoreFault(FolkmootError):
    """A durable store cannot do what it promises: full, gone, damaged or from a newer program."""


class DiskFault(StoreFault):
    """The disk below a store has no room, or fails: nothing of what was to be stored is, what is stored is sound.

    It may pass by itself, or by somebody's making room: whoever meets it goes on from the store when it has
    (folkmoot.serve.lives). `why` says in a few words what a peer and an operator are told.
    """

    def __init__(self, detail: str, *, full: bool) -> None:
        super().__init__(detail)
        self.full = full
        self.why = "no room on the disk" if full else "the disk fails"
