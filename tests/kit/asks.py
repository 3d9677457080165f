"""Asks for tests."""

from folkmoot.hop import events
from folkmoot.wire.messages import Ask


def ask(**fields: object) -> Ask:
    """Gives a train Ask; the digests are made up."""
    given = {
        "run": "run",
        "round": 1,
        "phase": "train",
        "strategy": "fedavg",
        "program": b"p" * 32,
        "weights": b"w" * 32,
        "base": 0,
    }
    return Ask(**{**given, **fields})  # type: ignore[arg-type]


def opened(*members: str, key: str = "key", deadline: int = 10_000, **terms: object) -> events.Opened:
    """Gives the first event of a round with these members, all of them here."""
    invitations = tuple(events.Invitation(name) for name in members)
    return events.Opened(key, ask(), events.Terms(deadline=deadline, **terms), invitations)  # type: ignore[arg-type]
