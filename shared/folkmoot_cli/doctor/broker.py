"""What the doctor finds out about one broker, by being its client for a moment."""

import asyncio
import contextlib
import random
import secrets
import ssl
import statistics
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from folkmoot.errors import UserFault
from folkmoot.link.backoff import Backoff
from folkmoot.link.face import Arrived, Connected, Denied, Event, Failed, Session, Unreachable
from folkmoot.link.mqtt import ATTEMPT_TIMEOUT, MqttLink
from folkmoot.link.rules import LARGEST, publish_size
from folkmoot.link.settings import Broker
from folkmoot.wire import topics
from folkmoot_cli import output
from folkmoot_cli.doctor.finding import Finding

PROBE = 65_536  # bytes: the largest payload that travels inside a message (docs/protocol.md, 4)
PING = 16
PINGS = 5
PATIENCE = 10.0  # seconds for a message to come back: 64 KiB take 5 s at 100 kbit/s
SOON = 14  # days: what runs out within them is worth a word
# Below a chunk of 4 KiB with its head, nothing can be sent (docs/protocol.md, Numbers).
SMALLEST = 4_608  # bytes
MANY = 65_535  # publishes at once: more than any broker grants, so that what it grants is seen


async def examine(part: str, where: Broker, name: str, namespace: str) -> AsyncIterator[Finding]:
    """Gives what there is to say of the broker, until something does not work. `name`: who we are to it, if anybody."""
    try:
        endpoint = where.endpoint()
        start = time.perf_counter()
        async with asyncio.timeout(ATTEMPT_TIMEOUT):
            sock = await endpoint.dial()
    except (OSError, TimeoutError, UserFault) as error:
        why = str(error) or f"no answer within {ATTEMPT_TIMEOUT:g} s"
        says = f"nothing at {where.host}:{where.port} ({why}): start the broker, or say where it is"
        yield Finding(part, "connection", "wrong", says, {"host": where.host, "port": where.port})
        return
    milliseconds = _ms(start)
    figures = {"host": where.host, "port": where.port, "tls": isinstance(sock, ssl.SSLSocket), "ms": milliseconds}
    yield Finding(part, "connection", "ok", f"{endpoint}, reached in {milliseconds:.1f} ms", figures)
    if isinstance(sock, ssl.SSLSocket):
        yield certificate(part, sock.getpeercert() or {}, datetime.now(UTC))
    sock.close()

    client = f"doctor-{secrets.token_hex(4)}"
    topic = topics.probe(namespace, where.username or name or client)
    talk = _Talk(where, client, topic)
    try:
        async for finding in talk.findings(part):
            yield finding
    finally:
        await talk.end()


class _Talk:
    """One session with the broker."""

    def __init__(self, where: Broker, client: str, topic: str) -> None:
        self._topic = topic
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        session = Session(client, (topic,), keep=False, window=MANY, receive_maximum=32, max_packet=LARGEST)
        self._link = MqttLink(where.endpoint(), session, self._events.put_nowait, Backoff(random.Random()))  # noqa: S311

    async def findings(self, part: str) -> AsyncIterator[Finding]:
        self._link.start()
        connected = await self._wait(Connected)
        if not isinstance(connected, Connected):
            yield Finding(part, "session", "wrong", f"the broker does not take us: {_why(connected)}")
            return
        limits, version = connected.limits, self._link.protocol
        yield _version(part, version)
        if version == "5":
            yield _limits(part, limits.window, limits.max_packet)
        room = limits.max_packet - publish_size(self._topic, bytes(PROBE), qos=1, expires=True, v5=True) + PROBE
        try:
            trips = [await self._trip(PING) for _ in range(PINGS)]
            size = min(PROBE, room)
            took = await self._trip(size)
        except _Lost as lost:
            yield Finding(part, "probe", "note" if lost.forbidden else "wrong", str(lost), {"topic": self._topic})
            return
        median = statistics.median(trips)
        yield Finding(part, "round trip", "ok", f"{median:.1f} ms", {"ms": median, "all_ms": trips})
        says = f"{size:,} bytes came back in {took:.1f} ms"
        yield Finding(part, "probe", "ok", says, {"topic": self._topic, "bytes": size, "ms": took})

    async def _trip(self, size: int) -> float:
        """Sends so many bytes to ourselves; gives the milliseconds until they are back. Raises _Lost."""
        payload = random.randbytes(size)  # not compressible on the way  # noqa: S311
        start = time.perf_counter()
        self._link.send("probe", self._topic, payload, expiry_s=round(PATIENCE))
        while True:
            match await self._wait(Arrived):
                case Arrived(_, found, _, token):
                    self._link.ack(token)
                    if found == payload:
                        return _ms(start)
                case other:
                    raise _Lost(other, size, self._topic)

    async def _wait(self, kind: type[Event]) -> Event | None:
        """Gives the next event of a kind, or one that says that none will come; None: nothing in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ATTEMPT_TIMEOUT if kind is Connected else PATIENCE):
                while True:
                    event = await self._events.get()
                    if isinstance(event, kind | Unreachable | Failed | Denied):
                        return event
        return None

    async def end(self) -> None:
        self._link.stop()
        await self._link.stopped()


class _Lost(Exception):
    """The probe did not come back."""

    def __init__(self, event: Event | None, size: int, topic: str) -> None:
        self.forbidden = isinstance(event, Denied) or (isinstance(event, Failed) and "authorized" in event.reason)
        if self.forbidden:
            super().__init__(f"the broker's access list does not let us write and read {topic}, so nothing was probed")
        else:
            super().__init__(f"{size:,} bytes sent to {topic} did not come back: {_why(event)}")


def _why(event: Event | None) -> str:
    match event:
        case Unreachable(reason) | Failed(_, reason) | Denied(_, reason):
            return reason
        case _:
            return "no answer in time"


def _ms(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 3)


def _version(part: str, version: str) -> Finding:
    if version == "5":
        return Finding(part, "protocol", "ok", "MQTT 5", {"version": version})
    says = f"MQTT {version}: works; with 5 the broker would drop late messages and say what it grants"
    return Finding(part, "protocol", "note", says, {"version": version})


def _limits(part: str, window: int, packet: int) -> Finding:
    figures: dict[str, Any] = {"window": window, "max_packet": packet}
    says = f"{window} publishes at once, packets of {output.size(packet)}"
    if packet < SMALLEST:
        return Finding(part, "limits", "wrong", f"{says}: at least {SMALLEST:,} bytes are needed", figures)
    if packet < PROBE + 1024:
        return Finding(part, "limits", "note", f"{says}: everything large goes in pieces", figures)
    return Finding(part, "limits", "ok", says, figures)


def certificate(part: str, told: dict[str, Any], now: datetime) -> Finding:
    """Gives what a certificate, as `ssl` tells it, says of its end; that it is valid, the handshake has shown."""
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(told["notAfter"]), UTC)
    names = {key: value for pairs in told.get("subject", ()) for key, value in pairs}
    days = (end - now).days
    figures = {"subject": names.get("commonName", ""), "not_after": end.isoformat(), "days": days}
    says = f"{names.get('commonName', 'the broker')}: good until {end:%Y-%m-%d}, {days} days"
    return Finding(part, "certificate", "note" if days < SOON else "ok", says + (": renew it" if days < SOON else ""), figures)
