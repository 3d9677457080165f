"""Mosquitto's configuration as we want it, valid on 2.0 and 2.1: pure functions, the caller writes the text.

Two roles, a home's broker and the cloud's, and two profiles: open, which anybody may use and which therefore stays on this
machine, and secured, where a client is who its certificate says and reaches its own topics only.
"""

import base64
import hashlib
import ipaddress
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from folkmoot.errors import UserFault
from folkmoot.wire.topics import MAJOR, probe

Role = Literal["home", "cloud"]

# Messages and bytes that wait for one client that is slow or away; what is beyond is dropped without a word, even to its
# publisher (1,000 by default: 41 to 47 % of 2,000 acknowledged messages were lost). A Pi has little memory, and receipts
# make loss harmless; the cloud's broker takes the burst of a whole round.
_QUEUES: dict[Role, tuple[int, int]] = {"home": (1_000, 8 << 20), "cloud": (100_000, 64 << 20)}
MAX_PACKET = 262_144  # bytes: a payload of 64 KiB inline in its envelope fits four times over
MAX_INFLIGHT = 32  # unacknowledged messages to one client: the cloud's own receive maximum
SESSION_DAYS = 7  # a gateway may be away that long

# Of the hash of a password: OWASP's figure for PBKDF2 with SHA-512 (Password Storage Cheat Sheet, 2023).
ITERATIONS = 210_000


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files of a broker that lets nobody in without a certificate."""

    ca: Path  # of our intermediate authority alone: whatever it signs may log in
    certificate: Path
    key: Path
    revoked: Path | None = None  # must be there and in date; SIGHUP reads it again


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the broker listens."""

    port: int
    host: str = "127.0.0.1"
    certificates: Certificates | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """Files that say who may do what."""

    acl: Path  # as `acl` writes it
    passwords: Path | None = None  # as `password` writes it, for listeners without certificates


def configuration(role: Role, listeners: tuple[Listener, ...], folder: Path, guard: Guard | None = None, user: str = "") -> str:
    """Gives the whole configuration. `folder` keeps retained messages and sessions over an orderly restart.

    `user` is the account that a Mosquitto started as root becomes; "" leaves it Debian's `mosquitto`.

    Raises UserFault for an open broker that would listen beyond this machine.
    """
    messages, size = _QUEUES[role]
    lines = [
        "set_tcp_nodelay true",  # 53 ms became 4.9 ms for a round trip over ten devices
        f"max_packet_size {MAX_PACKET}",
        f"max_queued_messages {messages}",
        f"max_queued_bytes {size}",
        f"max_inflight_messages {MAX_INFLIGHT}",
        f"persistent_client_expiration {SESSION_DAYS}d",
        "persistence true",  # a convenience, not durability: SIGKILL lost 300 of 300 acknowledged messages
        f"persistence_location {folder}/",
        "log_dest stderr",
        *([f"user {user}"] if user else []),
        f"allow_anonymous {'false' if guard else 'true'}",
    ]
    if guard:
        lines.append(f"acl_file {guard.acl}")
        if guard.passwords:
            lines.append(f"password_file {guard.passwords}")
    for listener in listeners:
        if guard is None and not _loopback(listener.host):
            raise UserFault(f"an open broker on {listener.host} lets anybody in: secure it, or let it listen on 127.0.0.1")
        lines += _listener(listener)
    return "\n".join(lines) + "\n"


def _listener(listener: Listener) -> list[str]:
    lines = [f"listener {listener.port} {listener.host}"]
    if listener.certificates:
        files = listener.certificates
        lines += [
            f"cafile {files.ca}",
            f"certfile {files.certificate}",
            f"keyfile {files.key}",
            *([f"crlfile {files.revoked}"] if files.revoked else []),
            "require_certificate true",
            "use_identity_as_username true",
            "use_username_as_clientid true",  # a stolen client id cannot throw another client out
        ]
    return lines


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def acl(role: Role, upper: str, gateway: str = "", namespace: str = "fl") -> str:
    """Gives who may do what: a member reaches its own topics, and `upper`, the name that the upper end logs in with, the tree.

    `gateway` is the id in a home's topics. Rules for members are patterns, for a bare `topic` line binds anonymous clients
    only. Mosquitto grants every subscription and then delivers what may be read.
    """
    root = f"{namespace}/{MAJOR}"
    if role == "home":
        own, everybody, tree = f"{root}/h/{gateway}/%u", [f"{root}/h/{gateway}/_gw/status"], f"{root}/h/{gateway}/#"
        up, status, down = f"{own}/up/+", f"{own}/status", f"{own}/dn/+"
    else:
        own, everybody, tree = f"{root}/c/%u", [f"{root}/c/_cloud/-/status"], f"{root}/c/#"
        up, status, down = f"{own}/+/up/+", f"{own}/-/status", f"{own}/+/dn/+"
    lines = [f"pattern write {up}", f"pattern readwrite {status}", f"pattern read {down}"]
    lines += [f"pattern read {topic}" for topic in everybody]
    lines.append(f"pattern readwrite {probe(namespace, '%u')}")
    lines += [f"user {upper}", f"topic readwrite {tree}", "topic read $SYS/#"]
    return "\n".join(lines) + "\n"


def password(username: str, secret: str, salt: bytes) -> str:
    """Gives a line of a password file (Mosquitto's own form, PBKDF2 with SHA-512). `salt` is 12 random bytes."""
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, ITERATIONS)
    return f"{username}:$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


def find() -> Path | None:
    """Gives the Mosquitto of this machine, or None; Debian keeps it in /usr/sbin, which is not on everybody's path."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin")
    return Path(found) if found else None
