"""Hears what a link says, and waits for it."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, TypeVar

from folkmoot.link.backoff import Backoff
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Event, Session
from folkmoot.link.mqtt import MqttLink

E = TypeVar("E")
PATIENCE = 20.0  # seconds; only a test that fails waits for them


class Ear:
    """A sink that keeps all events, in order; `next` walks through those of one kind."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._at: dict[type[Any], int] = {}
        self._news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    async def next(self, kind: type[E], when: Callable[[E], bool] = lambda event: True, patience: float = PATIENCE) -> E:
        """Gives the next event of this kind for which `when` holds; fails after `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    while (at := self._at.get(kind, 0)) < len(self.events):
                        event = self.events[at]
                        self._at[kind] = at + 1
                        if isinstance(event, kind) and when(event):
                            return event
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind.__name__} came; all that came is {self.events}") from None

    def all(self, kind: type[E]) -> list[E]:
        """Gives the events of this kind so far."""
        return [event for event in self.events if isinstance(event, kind)]


def join(endpoint: Endpoint, client: str, *filters: str, wait: float = 0.02, **session: Any) -> tuple[MqttLink, Ear]:
    """Gives a link that has been started, with its ear. `wait`: seconds, at most, between two attempts to connect."""
    ear = Ear()
    backoff = Backoff(random.Random(client), shortest=wait / 2, longest=wait)
    link = MqttLink(endpoint, Session(client=client, filters=filters, **session), ear, backoff)
    link.start()
    return link, ear
