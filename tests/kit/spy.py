"""Listens on every broker of a town and keeps what is said there, with the moment: what a test from outside can know."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from folkmoot.errors import PeerFault
from folkmoot.hop.ids import ask_id
from folkmoot.link.backoff import Backoff
from folkmoot.link.dialect import REFUSALS, V5
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Arrived, Event, Session
from folkmoot.link.mqtt import MqttLink
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Body
from folkmoot.wire.topics import Tree

LIMIT = 1 << 20  # bytes of a message
AGAIN = 0.05  # seconds until it dials again: a spy must not sleep through what it is there for


@dataclass(frozen=True, slots=True)
class Seen:
    """One message."""

    at: float  # of the monotonic clock, seconds
    broker: str  # "cloud", or the gateway whose home's it is
    member: str  # the lower end; _gw or _cloud where the upper end speaks of itself
    down: bool  # from the upper end
    body: Body
    ask: bytes
    run: str  # of the Ask that it is about; "" where that is not known
    round: int


class Spy:
    """What has been said so far; made by `spying`."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.said: dict[tuple[str, str], bytes] = {}  # what a broker has said last about itself, by broker and topic
        self._news = threading.Condition()
        self._asks: dict[bytes, tuple[str, int]] = {}

    def hear(self, broker: str, tree: Tree, event: Event) -> None:
        """Takes what a link says."""
        if isinstance(event, Arrived) and event.topic.startswith("$SYS/"):
            self.said[broker, event.topic] = event.payload
            return
        if not isinstance(event, Arrived) or event.retained:
            return
        try:
            place, envelope = tree.place(event.topic), codec.unseal(event.payload, limit=LIMIT)
        except PeerFault:
            return  # damaged on a link that does that
        body, ask = envelope.body, envelope.ask
        down = place.direction == "dn" or place.member.startswith("_")
        with self._news:
            if isinstance(body, Ask):
                self._asks[ask] = (body.run, body.round)
            run, number = self._asks.get(ask, ("", 0))
            self.seen.append(Seen(time.monotonic(), broker, place.member, down, body, ask, run, number))
            self._news.notify_all()

    def forget(self) -> None:
        """Drops what has been said so far."""
        with self._news:
            self.seen.clear()

    def expect(self, run: str, rounds: int, homes: Mapping[str, Sequence[str]]) -> None:
        """Takes that a run begins: what is said about its Asks is known by their ids, though the Asks themselves be missed."""
        for number in range(1, rounds + 1):
            for gateway, devices in homes.items():
                above = ask_id(f"{run}/{number}/train", gateway)
                for ask in (above, *(ask_id(above.hex(), device) for device in devices)):
                    self._asks[ask] = (run, number)

    def wait(self, when: Callable[[Seen], bool], begin: int, patience: float) -> Seen | None:
        """Gives the first message from index `begin` on for which `when` holds; None where none comes in `patience` seconds."""
        end = time.monotonic() + patience
        with self._news:
            while True:
                for message in self.seen[begin:]:
                    begin += 1
                    if when(message):
                        return message
                left = end - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    return None


@contextmanager
def spying(brokers: Mapping[str, int], filters: tuple[str, ...] = ("fl/v1/#",), *, old: bool = False) -> Iterator[Spy]:
    """Gives a spy on brokers, name to port, who hears what `filters` let through. They may go and come back.

    `old`: they know no MQTT 5, which is not tried first.
    """
    spy, ready, ending = Spy(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def listen() -> None:
        links = []
        for name, port in brokers.items():
            tree = Tree(upper="" if name == "cloud" else name)
            session = Session(client=f"spy-{name}", filters=filters, expiry_s=60, keepalive_s=10, receive_maximum=1_000)
            link: MqttLink

            def hear(event: Event, name: str = name, tree: Tree = tree) -> None:
                spy.hear(name, tree, event)
                if isinstance(event, Arrived):
                    found[name].ack(event.token)

            link = MqttLink(Endpoint("127.0.0.1", port), session, hear, Backoff(random.Random(0), AGAIN / 2, AGAIN))
            if old:
                link._dialect.turned(V5, time.monotonic(), min(REFUSALS), silent=False)
            found[name] = link
            link.start()
            links.append(link)
        ready.set()
        await ending.wait()
        for link in links:
            link.stop()
        await asyncio.gather(*(link.stopped() for link in links))

    found: dict[str, MqttLink] = {}
    thread = threading.Thread(target=lambda: loop.run_until_complete(listen()), name="spy", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield spy
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join()
        loop.close()
