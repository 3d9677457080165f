"""Where a broker is, how it is recognised and who we say that we are."""

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from folkmoot.errors import UserFault

# One address that swallows packets must leave time for the next one of the same name; paho's own figure.
ADDRESS_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of PEM. There is no way to skip the check of the broker's certificate or name."""

    ca: Path | None = None  # None: the authorities that the system trusts
    certificate: Path | None = None  # ours, with its chain
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Gives what TLS connections are made with.

        With a `ca` the system's bundle is never read: it costs memory, and none of it may speak for a home's broker.
        Raises UserFault for a file that is missing or no PEM, or a key that does not fit.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self.ca is None:
                context.load_default_certs()
            else:
                context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError) as error:
            raise UserFault(f"cannot read the certificate authority {self.ca}: {error}; give a PEM file") from error
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, password=_no_password)
            except (OSError, ssl.SSLError) as error:
                raise UserFault(
                    f"cannot use the certificate {self.certificate} with the key {self.key}: {error}; give a matching pair"
                ) from error
        return context


@dataclass(frozen=True, slots=True)
class Login:
    """A name and its password: given, or as the file that holds it, which is read for each connection."""

    username: str
    password: str | Path = field(repr=False)

    def secret(self) -> str:
        """Gives the password: of a file, its first line.

        Raises UserFault where the file cannot be read.
        """
        if isinstance(self.password, str):
            return self.password
        try:
            return self.password.read_text("utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise UserFault(f"cannot read the password of {self.username} in {self.password}: {error}") from error


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One broker."""

    host: str
    port: int
    tls: Tls | None = None
    login: Login | None = None

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    async def dial(self) -> socket.socket:
        """Gives a connected, non-blocking socket, past the TLS handshake where there is one.

        Certificates are read for each connection, so that renewed ones are taken up. Raises OSError (ssl.SSLError is one)
        and UserFault; the caller sets the time limit of the whole.
        """
        context = self.tls.context() if self.tls else None
        sock = await _connect(self.host, self.port)
        try:
            # 4.9 ms against 53 ms for a round trip over ten devices (docs/measurements.md).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                sock = context.wrap_socket(sock, server_hostname=self.host, do_handshake_on_connect=False)
                await _shake_hands(sock)
        except BaseException:  # a cancelled attempt must not leak its socket
            sock.close()
            raise
        return sock


def _no_password() -> str:
    """Refuses an encrypted key, for which OpenSSL would otherwise ask the terminal of a service that has none."""
    raise ssl.SSLError("the key is encrypted")


async def _connect(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:  # an address needs no resolver, hence no thread
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise ConnectionError(f"{host}: {error.strerror}") from None
    failure: OSError = ConnectionError(f"{host} has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(ADDRESS_TIMEOUT):
                await loop.sock_connect(sock, address)
        except TimeoutError:
            sock.close()
            failure = ConnectionError(f"no answer from {address[0]} within {ADDRESS_TIMEOUT:g} s")
        except OSError as error:
            sock.close()
            failure = ConnectionError(os.strerror(error.errno) if error.errno else str(error))
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


async def _shake_hands(sock: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        turn = loop.create_future()
        try:
            sock.do_handshake()
            return
        except ssl.SSLWantReadError:
            add, remove = loop.add_reader, loop.remove_reader
        except ssl.SSLWantWriteError:
            add, remove = loop.add_writer, loop.remove_writer
        add(sock, _proceed, turn)
        try:
            await turn
        finally:
            remove(sock)


def _proceed(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
