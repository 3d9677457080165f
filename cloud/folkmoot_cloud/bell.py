"""Waking whoever waits for something to be there, without losing a ring."""

import asyncio


class Bell:
    """Rings for everybody who holds a ticket. Take the ticket, look, and only then wait: what rings in between counts."""

    def __init__(self) -> None:
        self.closed = False
        self._next = asyncio.Event()

    def ticket(self) -> asyncio.Event:
        """Gives what the next ring will set."""
        return self._next

    def ring(self) -> None:
        """Wakes everybody."""
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """Wakes everybody for the last time: nothing will ring again, so nobody need wait."""
        self.closed = True
        self.ring()
