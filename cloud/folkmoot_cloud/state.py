"""What the running service holds: one readable list, made by the lifespan, reached by way of the request."""

from typing import TypedDict, cast

from fastapi import Request

from folkmoot_cloud.blobs.store import BlobStore
from folkmoot_cloud.database import Database
from folkmoot_cloud.engine import Engine
from folkmoot_cloud.settings import Settings


class State(TypedDict):
    """Everything that outlives a request."""

    settings: Settings
    database: Database
    blobs: BlobStore
    engine: Engine


def of(request: Request) -> State:
    """Gives the state of the service that takes this request."""
    return cast(State, request.scope["state"])
