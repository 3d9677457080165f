"""One connection to a broker, from CONNECT to its end: paho, driven by the event loop, without a thread of its own.

A connection is never used twice. paho keeps unacknowledged publishes over a reconnect and sends all of them at once,
whatever the window (eclipse/paho.mqtt.python issues 492 and 698), and its queue cannot be dropped before 2.2; a new client
per connection has no queue, and what is to be sent again is the outbox's business.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from folkmoot.link import packet
from folkmoot.link.dialect import V5
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import TOO_LARGE, Arrived, Denied, Event, Failed, Key, Limits, Published, Session
from folkmoot.link.rules import publish_size

# Times a keepalive at which paho is asked to look at its timers: a ping is late by an eighth at most, brokers allow a half.
BEATS = 8
_UNSENT = -1  # the number of a packet that paho had no socket for: it is never answered
log = logging.getLogger("folkmoot.link")


@dataclass(frozen=True, slots=True)
class Granted:
    """The broker's answer to CONNECT."""

    resumed: bool
    limits: Limits
    keepalive_s: int


class Turned(Exception):
    """The broker has not taken us."""

    def __init__(self, reason: str, code: int = 0, *, silent: bool = False, lasting: bool = False) -> None:
        """`code` is the broker's reason code; `silent`: it hung up on CONNECT without one; `lasting` as in Unreachable."""
        super().__init__(reason)
        self.code = code
        self.silent = silent
        self.lasting = lasting or code in packet.LASTING


class _Client(paho.Client):
    """paho on a socket that is connected already: it has no other way to be given one, in any 2.x."""

    given: socket.socket

    def _create_socket(self) -> Any:
        return self.given


class _Ear(logging.Logger):
    """Keeps the last error that paho reports, which says why a socket was lost: its callbacks do not."""

    last = ""

    def log(self, level: int, msg: object, *args: object, **_: Any) -> None:
        """Takes what paho would log; everything below an error is dropped unformatted."""
        if level >= logging.ERROR:
            self.last = str(msg) % args
            log.debug(self.last)


class Connection:
    """paho, from CONNECT to the end of the socket."""

    def __init__(
        self,
        sock: socket.socket,
        endpoint: Endpoint,
        session: Session,
        version: MQTTProtocolVersion,
        *,
        number: int,
        taken: Callable[["Connection", Granted], None],
        sink: Callable[[Event], None],
    ) -> None:
        """Sends CONNECT on `sock`, a non-blocking socket, which is the connection's from now on.

        `number` tells this connection's tokens from another's. `taken` is called when the broker takes us, ahead of anything
        that it delivers; `sink` gets Arrived, Published, Failed and Denied. Raises UserFault where the password cannot be
        read.
        """
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._fd = sock.fileno()
        self._session = session
        self._number = number
        self._taken = taken
        self._sink = sink
        self._keepalive = session.keepalive_s
        self.version = version
        self._v5 = version == V5
        self._pending: dict[int, Key] = {}
        self._subscribing: dict[int, tuple[str, ...]] = {}  # what the broker has not answered to yet
        self._limits = Limits(0, 0)
        self._ear = _Ear("paho")
        self._beat: asyncio.TimerHandle | None = None
        self.opened: asyncio.Future[Granted] = self._loop.create_future()
        """The broker's answer, or Turned."""
        self.closed: asyncio.Future[str] = self._loop.create_future()
        """Why the connection ended."""
        self._client = self._make_client(endpoint, version)
        self._client.given = sock
        self._loop.add_reader(self._fd, self._read)
        self._client.connect_async(
            endpoint.host,
            endpoint.port,
            session.keepalive_s,
            clean_start=not session.keep,
            properties=packet.connect(session) if self._v5 else None,
        )
        self._client.reconnect()
        self._tick()

    def _make_client(self, endpoint: Endpoint, version: MQTTProtocolVersion) -> _Client:
        session = self._session
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=session.client,
            clean_session=None if self._v5 else not session.keep,
            protocol=version,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.max_inflight_messages_set(0)  # we count, and so obey the broker's maximum too, which paho does not
        client.enable_logger(self._ear)
        client.suppress_exceptions = True  # one that leaves a callback would make paho read the same packet for ever
        if endpoint.login:
            client.username_pw_set(endpoint.login.username, endpoint.login.secret())
        if session.will:
            will = session.will()
            client.will_set(will.topic, will.payload, 1, will.retain, packet.will(will) if self._v5 else None)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.on_socket_close = lambda *_: self._unhook()
        client.on_socket_register_write = lambda *_: self._loop.add_writer(self._fd, self._write)
        client.on_socket_unregister_write = lambda *_: self._hold()
        return client

    # ---- what the link asks for

    @property
    def free(self) -> int:
        """How many publishes may still be on their way; 0 before the broker has taken us."""
        return 0 if self.closed.done() else max(0, self._limits.window - len(self._pending))

    @property
    def unsettled(self) -> tuple[Key, ...]:
        """The keys of the publishes that are on their way, in the order of sending."""
        return tuple(self._pending.values())

    def publish(self, key: Key, topic: str, payload: bytes, *, retain: bool, qos: int, expiry_s: int | None) -> None:
        """Sends a message, or gives Failed at the loop's next turn for one that the broker would disconnect us for."""
        size = publish_size(topic, payload, qos=qos, expires=expiry_s is not None, v5=self._v5)
        if size > self._limits.max_packet:
            reason = f"{TOO_LARGE}: {size} bytes, the broker takes {self._limits.max_packet}"
            self._loop.call_soon(self._sink, Failed(key, reason))
            return
        properties = packet.publish(expiry_s) if self._v5 and expiry_s is not None else None
        info = self._client.publish(topic, payload, qos, retain, properties)
        self._pending[info.mid] = key

    @property
    def subscribing(self) -> bool:
        """Whether the broker has not answered yet to every change of what we subscribe to."""
        return bool(self._subscribing)

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Subscribes with QoS 1; gives Denied for each filter that the broker refuses."""
        if not filters:
            return
        if self._v5:
            _, mid = self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in filters])
        else:
            _, mid = self._client.subscribe([(topic, 1) for topic in filters])
        self._subscribing[_UNSENT if mid is None else mid] = filters

    def unsubscribe(self, filters: tuple[str, ...]) -> None:
        """Gives up subscriptions; one that the session does not hold is no fault."""
        if filters:
            _, mid = self._client.unsubscribe(list(filters))
            self._subscribing[_UNSENT if mid is None else mid] = ()

    def ack(self, mid: int) -> None:
        """Acknowledges an arrived message."""
        self._client.ack(mid, 1)

    def disconnect(self) -> None:
        """Says goodbye: the broker forgets the will. `closed` follows when it is written."""
        self._client.disconnect()

    def drop(self, reason: str) -> None:
        """Ends the connection without a word: the broker sends the will. Does nothing where it has ended."""
        if self.closed.done():
            return
        self._unhook()
        self._mute()
        self._sock.close()
        if not self.opened.done():
            self.opened.set_exception(Turned(reason, silent=True))
            self.opened.exception()  # nobody may be waiting any more
        self.closed.set_result(reason)

    # ---- the event loop's side

    def _unhook(self) -> None:
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        if self._beat:
            self._beat.cancel()

    def _hold(self) -> None:
        self._loop.remove_writer(self._fd)

    def _mute(self) -> None:
        """Cuts the ring of references between paho and us, which would wait for the garbage collector."""
        client = self._client
        client.on_connect = client.on_disconnect = client.on_message = client.on_publish = None
        client.on_subscribe = client.on_unsubscribe = None
        client.on_socket_close = client.on_socket_register_write = client.on_socket_unregister_write = None

    def _guarded(self, step: Callable[[], Any]) -> bool:
        """Runs one of paho's steps; says whether the connection is still there.

        Whatever paho raises over what a broker has sent ends this connection, and never the loop.
        """
        try:
            step()
        except Exception as error:
            log.debug("paho failed", exc_info=True)
            self.drop(f"unreadable: {error!r}")
        return not self.closed.done()

    def _read(self) -> None:
        # The loop sees the socket only: what TLS has decrypted already must be read now, or it waits for the next packet.
        while self._guarded(self._client.loop_read) and isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            pass

    def _write(self) -> None:
        self._guarded(self._client.loop_write)

    def _tick(self) -> None:
        if self._guarded(self._client.loop_misc):
            self._beat = self._loop.call_later(max(1, self._keepalive) / BEATS, self._tick)

    # ---- paho's side

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: ReasonCode, properties: Properties | None) -> None:
        if code.is_failure:
            if not self.opened.done():
                self.opened.set_exception(Turned(str(code), code.value))
            return
        session = self._session
        self._limits = Limits(
            window=min(session.window, getattr(properties, "ReceiveMaximum", session.window)),
            max_packet=min(session.max_packet, getattr(properties, "MaximumPacketSize", session.max_packet)),
        )
        self._keepalive = getattr(properties, "ServerKeepAlive", session.keepalive_s) or session.keepalive_s
        granted = Granted(flags.session_present, self._limits, self._keepalive)
        self._taken(self, granted)
        if not self.opened.done():
            self.opened.set_result(granted)

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, code: ReasonCode, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server or code.value == packet.KEEPALIVE:
            self.drop(str(code))
        else:
            self.drop(self._ear.last or ("connection lost" if code.is_failure else "disconnected"))

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        token = (self._number, message.mid) if message.qos else None
        self._sink(Arrived(message.topic, bytes(message.payload), message.retain, token))

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        key = self._pending.pop(mid)
        if code.is_failure:
            self._sink(Failed(key, str(code)))
        else:
            self._sink(Published(key, heard=code.value != packet.NOBODY_SUBSCRIBED))

    def _on_unsubscribe(self, _client: Any, _data: Any, mid: int, _codes: Any, _properties: Any) -> None:
        self._subscribing.pop(mid, None)

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        for topic, code in zip(self._subscribing.pop(mid, ()), codes, strict=False):
            if code.is_failure:
                self._sink(Denied(topic, str(code)))
