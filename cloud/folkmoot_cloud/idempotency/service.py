"""A request that is sent twice with the same Idempotency-Key is done once and answered twice, in the same words."""

import hashlib
from datetime import datetime

from starlette.responses import Response

from folkmoot_cloud.database import Session
from folkmoot_cloud.faults import Conflict
from folkmoot_cloud.idempotency import repository
from folkmoot_cloud.tables import StoredResponse

HOURS = 24  # how long a key is remembered: a client that has not learnt the outcome by then asks for the list


class Replay(Exception):
    """The request was met before, with this response. No error: it carries the response past what must not run again."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def fingerprint(method: str, target: str, body: bytes) -> str:
    """Gives what two requests have in common that are the same."""
    head = f"{method} {target}\n".encode("utf-8", "surrogatepass")
    return hashlib.sha256(head + body).hexdigest()


async def claim(session: Session, tenant: str, token: str, key: str, print_: str, at: datetime) -> StoredResponse:
    """Gives the row in which this request's response is to be kept.

    Raises Replay where the request was met before, Conflict where the key was used for another one, or for one whose response
    held a secret.
    """
    row = StoredResponse(tenant=tenant, token=token, key=key, fingerprint=print_, status=0, headers={}, body=None, at=at)
    before = await repository.claim(session, row)
    if before is None:
        return row
    if before.fingerprint != print_:
        raise Conflict("this Idempotency-Key was used for another request: take a new key for each thing that you want done")
    if before.body is None:
        raise Conflict("this request was met before; its response held a secret, which is shown only once")
    raise Replay(Response(before.body, before.status, {**before.headers, "Idempotent-Replayed": "true"}))


async def keep(session: Session, row: StoredResponse, response: Response) -> None:
    """Stores the response. One that no cache may keep holds a secret, and only that it happened is stored."""
    row.status = response.status_code
    row.headers = {name: value for name, value in response.headers.items() if name in ("content-type", "location")}
    row.body = None if response.headers.get("cache-control") == "no-store" else bytes(response.body)
    await repository.keep(session, row)
