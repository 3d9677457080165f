"""Tokens: `fm_{id}_{secret}`. The id finds the row, the row holds the secret's sha256, and nothing holds the secret."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from folkmoot import ids
from folkmoot.errors import UserFault
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.faults import Conflict, Forbidden, NotFound, Unauthorized
from folkmoot_cloud.tables import Token
from folkmoot_cloud.tokens import repository

PREFIX = "fm"
BYTES = 32  # of a secret: 256 bits, so a plain sha256 is enough (nothing to guess, unlike a password)
ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request is from."""

    tenant: str
    token: str  # its id
    scopes: frozenset[str]

    def need(self, scope: str) -> None:
        """Makes sure that this is allowed. Raises Forbidden."""
        if not self.scopes & {scope, ADMIN}:
            raise Forbidden(f"this needs the scope {scope}; the token has {', '.join(sorted(self.scopes))}")


async def authenticate(session: ReadSession, text: str | None) -> Principal:
    """Gives whose token `text` is. Raises Unauthorized, which does not say what about it is wrong."""
    if text is None:
        raise Unauthorized("send a token as `Authorization: Bearer fm_...`; the first start of the cloud printed one")
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    known = None
    if prefix == PREFIX and len(text) < 200 and text.isascii() and text.isprintable():
        known = await repository.find(session, token_id)
    # Compared even where there is no row, so that the time taken does not tell whether an id exists.
    stored = known.hash if known is not None else bytes(32)
    if not hmac.compare_digest(_hash(secret), stored) or known is None or known.revoked_at is not None:
        raise Unauthorized("the token is unknown or revoked")
    return Principal(known.tenant, known.id, frozenset(known.scopes))


async def make(session: Session, tenant: str, name: str, scopes: Collection[str], at: datetime) -> tuple[Token, str]:
    """Gives a new token and its text, which nothing else will ever give again."""
    secret = secrets.token_urlsafe(BYTES)
    token = Token(
        tenant=tenant,
        id=ids.text(ids.fresh()),
        name=name,
        hash=_hash(secret),
        scopes=sorted(set(scopes)),
        created_at=at,
        revoked_at=None,
    )
    await repository.add(session, token)
    return token, f"{PREFIX}_{token.id}_{secret}"


async def revoke(session: Session, tenant: str, token_id: str, at: datetime) -> None:
    """Ends a token's life.

    Raises NotFound, and Conflict for the last one that may make others: nobody could get in again.
    """
    usable = await repository.usable(session, tenant)
    token = next((one for one in usable if one.id == token_id), None)
    if token is None:
        raise NotFound(f"there is no token {token_id} in use")
    if ADMIN in token.scopes and sum(ADMIN in one.scopes for one in usable) == 1:
        raise Conflict("this is the last token with the scope admin: make another one first")
    await repository.revoke(session, tenant, token_id, at)


async def bootstrap(session: Session, tenant: str, file: Path | None, at: datetime) -> str | None:
    """Gives the first token's text, where there is none that may make others; None otherwise.

    It is written to `file` before the commit: a crash between the two costs a start, not the way in. Raises UserFault where
    the file cannot be written.
    """
    if any(ADMIN in token.scopes for token in await repository.usable(session, tenant)):
        return None
    _, text = await make(session, tenant, "bootstrap", [ADMIN], at)
    if file is not None:
        _write(file, text)
    return text


def _write(file: Path, text: str) -> None:
    fresh = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text + "\n")
        fresh.replace(file)
    except OSError as error:
        raise UserFault(f"tokens.bootstrap_file: {file} cannot be written: {error.strerror}") from None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
