"""Ids of Asks. They are derived and not drawn, so that a replay asks with the same ones."""

import hashlib


def ask_id(key: str, member: str) -> bytes:
    """Gives the id of the Ask that the round `key` sends `member`: derived, so that a replay asks with the same one."""
    return hashlib.sha256(f"{key}/{member}".encode()).digest()[:16]


def local_id(ask: bytes, number: int) -> bytes:
    """Gives the id of the Ask of a gateway's local round `number` after the Ask `ask` (hop/member.py)."""
    return hashlib.sha256(ask + f"/local/{number}".encode()).digest()[:16]
