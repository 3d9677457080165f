"""A client of a hub that sends, hears, and sends again whatever was not settled, as a node with an outbox does."""

from collections.abc import Hashable
from typing import Any

from folkmoot.link.face import Arrived, Connected, Disconnected, Event, Failed, Published, Session
from folkmoot.link.hub import Hub
from folkmoot.link.memory import MemoryLink


class Party:
    """One link, everything that it said, and an outbox."""

    def __init__(self, hub: Hub, client: str, *filters: str, acks: bool = True, session: Session | None = None) -> None:
        """`acks`: acknowledges at once what arrives."""
        self.events: list[Event] = []
        self.waiting: list[tuple[Hashable, str, bytes, dict[str, Any]]] = []
        self._sent: dict[Hashable, tuple[Hashable, str, bytes, dict[str, Any]]] = {}
        self._acks = acks
        self.session = session or Session(client=client, filters=filters)
        self.link = MemoryLink(hub, self.session, self.hear)
        self.link.start()

    @property
    def on_their_way(self) -> int:
        """Messages that were sent and are not settled."""
        return len(self._sent)

    def hear(self, event: Event) -> None:
        """Takes an event: the link's sink."""
        self.events.append(event)
        if isinstance(event, Published | Failed):
            del self._sent[event.key]
        elif isinstance(event, Disconnected):
            assert set(event.unsettled) == set(self._sent), "each message is settled once"
            self.waiting = [*self._sent.values(), *self.waiting]
            self._sent.clear()
        elif isinstance(event, Arrived) and self._acks:
            self.link.ack(event.token)
        if isinstance(event, Connected | Published | Failed):
            self.flush()

    def say(self, key: Hashable, topic: str, payload: bytes = b"", **options: Any) -> None:
        """Sends a message, now or when the link takes it. `options` are those of `Link.send`."""
        self.waiting.append((key, topic, payload, options))
        self.flush()

    def flush(self) -> None:
        """Sends as much as the link takes."""
        while self.waiting and self.link.free:
            message = self.waiting.pop(0)
            key, topic, payload, options = message
            self._sent[key] = message
            assert self.link.send(key, topic, payload, **options)

    @property
    def heard(self) -> list[bytes]:
        """The payloads that have arrived, in order."""
        return [event.payload for event in self.events if isinstance(event, Arrived)]
