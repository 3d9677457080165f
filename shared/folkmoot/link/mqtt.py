"""A link over MQTT: it dials, speaks the newest dialect that the broker knows, and dials again whenever it is lost."""

import asyncio
import logging
import ssl
import time
from dataclasses import replace

from paho.mqtt.enums import MQTTProtocolVersion

from folkmoot.errors import StoreFault, UserFault
from folkmoot.link.backoff import Backoff
from folkmoot.link.connection import Connection, Granted, Turned
from folkmoot.link.dialect import V5, WORDS, Dialect
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import (
    Connected,
    Disconnected,
    Event,
    Failed,
    Key,
    Last,
    Published,
    Session,
    Sink,
    Stopped,
    Token,
    Unreachable,
)
from folkmoot.log import Outage

# Name, TCP, TLS and CONNACK together. A TLS handshake on a small board takes seconds, a broker under a returning fleet more.
ATTEMPT_TIMEOUT = 30.0  # seconds
# For the acknowledgement of the last word: a stopping service is killed after 10 s by Docker, after 90 s by systemd.
GOODBYE_TIMEOUT = 3.0  # seconds

log = logging.getLogger("folkmoot.link")


_GOODBYE = object()  # the key of the last word


class MqttLink:
    """A link (folkmoot.link.face.Link) over MQTT 5, or 3.1.1 where the broker knows no 5.

    Everything happens on the event loop that `start` was called on; there is no thread.
    """

    def __init__(self, endpoint: Endpoint, session: Session, sink: Sink, backoff: Backoff) -> None:
        """`sink` gets the events. It only puts them in a queue; if it raises, that is logged and the event is lost."""
        self._endpoint = endpoint
        self._session = session
        self._sink = sink
        self._backoff = backoff
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None  # the one that the broker has taken
        self._number = 0  # of connections so far
        self._dialect = Dialect()
        self._packet = session.max_packet  # what the broker takes, as it said in MQTT 5: it cannot say so in 3.1.1
        self._subscribed = False  # by this process, in the session that the broker has now: to our filters and no others
        self._before = False  # the same, before the CONNECT that is under way
        self._dropped = set(session.former) - set(session.filters)  # what that session may hold, and is to hold no more
        self._goodbye: Last | None = None
        self._stopping = False
        self._outage = Outage()

    def start(self) -> None:
        """Connects, and connects again whenever the connection is lost, until `stop`."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"link {self._session.client}")

    @property
    def protocol(self) -> str:
        """The version of MQTT that is spoken, "5" or "3.1.1"; empty while there is no connection."""
        return "" if self._connection is None else WORDS[self._connection.version]

    @property
    def free(self) -> int:
        """How many messages `send` would take now."""
        return self._connection.free if self._connection and not self._stopping else 0

    def send(
        self, key: Key, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1, expiry_s: int | None = None
    ) -> bool:
        """Takes a message unless `free` is 0, and says so."""
        if self._connection is None or not self.free:
            return False
        self._connection.publish(key, topic, payload, retain=retain, qos=qos, expiry_s=expiry_s)
        return True

    def ack(self, token: Token) -> None:
        """Acknowledges an arrived message of the present connection."""
        if self._connection and isinstance(token, tuple) and token[0] == self._number:
            self._connection.ack(token[1])

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Subscribes to `filters` in the place of those of the session, now or with the next connection."""
        before = self._session.filters
        self._session = replace(self._session, filters=filters)
        added = tuple(one for one in filters if one not in before)
        dropped = tuple(one for one in before if one not in filters)
        self._dropped = (self._dropped | set(dropped)) - set(filters)
        if self._connection is None:
            if added or dropped:
                self._subscribed = self._before = False
            return
        self._connection.subscribe(added)
        self._connection.unsubscribe(dropped)

    def stop(self, goodbye: Last | None = None) -> None:
        """Publishes `goodbye` where there is a connection, disconnects, and ends with Stopped."""
        if self._stopping or self._task is None:
            return
        self._stopping = True
        if self._connection is None:
            self._task.cancel()
            return
        self._task.get_loop().call_later(GOODBYE_TIMEOUT, self._connection.drop, "no answer to the last word")
        if goodbye is None:
            self._connection.disconnect()
        self._goodbye = goodbye
        self._part()

    async def stopped(self) -> None:
        """Waits until Stopped was given."""
        if self._task:
            await asyncio.wait([self._task])

    # ---- one connection after another

    async def _run(self) -> None:
        try:
            while not self._stopping:
                met = await self._visit()
                lived, lasting = (0.0, met.lasting) if isinstance(met, Turned) else (met, False)
                if not self._stopping:
                    await asyncio.sleep(self._backoff.after(lived, lasting=lasting))
        except asyncio.CancelledError:
            if not self._stopping:  # not by us
                raise
        finally:
            self._emit(Stopped())

    async def _visit(self) -> Turned | float:
        """One connection, from dialling to its end; gives the seconds that it lasted, or why none came about."""
        while True:
            version = self._dialect.pick(time.monotonic())
            met = await self._speak(version)
            if not isinstance(met, Turned):
                return met
            if self._dialect.turned(version, time.monotonic(), met.code, met.silent):
                continue
            if self._outage.begins():
                log.warning("broker unreachable", extra={**self._who, "reason": str(met)})
            self._emit(Unreachable(str(met), met.lasting))
            return met

    async def _speak(self, version: MQTTProtocolVersion) -> Turned | float:
        """As `_visit`, in one dialect."""
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT):
                connection = await self._open(version)
        except Turned as turned:
            return turned
        except TimeoutError:
            return Turned(f"no answer within {ATTEMPT_TIMEOUT:g} s")
        except (OSError, UserFault, StoreFault) as error:  # a will cannot be made where the disk is full
            return Turned(str(error), lasting=isinstance(error, UserFault | ssl.SSLCertVerificationError))
        except Exception as error:  # ours or a will's maker's; whatever it is, the next attempt may do
            log.exception("cannot connect", extra=self._who)
            return Turned(repr(error))
        start = time.monotonic()
        try:
            reason = await connection.closed
        finally:
            connection.drop("stopped")
        self._lose(connection, reason)
        return time.monotonic() - start

    async def _open(self, version: MQTTProtocolVersion) -> Connection:
        """Gives a connection that the broker has taken. Raises Turned, OSError and UserFault."""
        sock = await self._endpoint.dial()
        self._number += 1
        # Until CONNACK comes nobody knows: a broker without its sessions makes a new one for a CONNECT whose CONNACK is then
        # lost, and says of that one next time that it is present.
        self._before, self._subscribed = self._subscribed, False
        session = self._session if version == V5 else replace(self._session, max_packet=self._packet)
        try:
            connection = Connection(
                sock, self._endpoint, session, version, number=self._number, taken=self._take, sink=self._hear
            )
        except BaseException:
            sock.close()
            raise
        patience = self._dialect.patience(version, ATTEMPT_TIMEOUT)
        why = f"no answer to CONNECT within {patience:g} s"
        hurry = asyncio.get_running_loop().call_later(patience, connection.drop, why)
        try:
            await connection.opened
        except BaseException:
            connection.drop("stopped")
            raise
        finally:
            hurry.cancel()
        return connection

    @property
    def _who(self) -> dict[str, object]:
        return {"broker": str(self._endpoint), "client": self._session.client}

    # ---- what the connection says

    def _take(self, connection: Connection, granted: Granted) -> None:
        self._connection = connection
        self._dialect.taken(connection.version)
        if connection.version == V5:
            self._packet = granted.limits.max_packet
        # paho 2.1 does not obey a broker that wants a shorter keepalive: the connection after this one asks for it.
        self._session = replace(self._session, keepalive_s=min(self._session.keepalive_s, granted.keepalive_s))
        self._subscribed = granted.resumed and self._before
        if not self._subscribed:
            connection.subscribe(self._session.filters)
            connection.unsubscribe(tuple(sorted(self._dropped)))
        log.info("broker back" if self._outage.ends() else "broker connected", extra={**self._who, "resumed": granted.resumed})
        self._emit(Connected(granted.resumed, granted.limits))

    def _lose(self, connection: Connection, reason: str) -> None:
        self._connection = None
        self._subscribed = not connection.subscribing  # we were when it began, or have asked for it
        if self._subscribed:
            self._dropped.clear()
        if not self._stopping and self._outage.begins():
            log.warning("broker lost", extra={**self._who, "reason": reason})
        self._emit(Disconnected(reason, tuple(key for key in connection.unsettled if key is not _GOODBYE)))

    def _hear(self, event: Event) -> None:
        if not isinstance(event, Published | Failed):
            self._emit(event)
        elif event.key is not _GOODBYE:
            self._emit(event)
            self._part()
        elif self._connection:
            self._connection.disconnect()

    def _part(self) -> None:
        """Sends the last word, where there is one, as soon as the window has room for it."""
        if self._goodbye and self._connection and self._connection.free:
            last, self._goodbye = self._goodbye, None
            self._connection.publish(_GOODBYE, last.topic, last.payload, retain=last.retain, qos=1, expiry_s=None)

    def _emit(self, event: Event) -> None:
        try:
            self._sink(event)
        except Exception:
            log.exception("an event was lost", extra={**self._who, "what": type(event).__name__})
