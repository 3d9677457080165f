"""What the cloud's settings file says: cloud.toml, and FOLKMOOT_CLOUD_* in the environment."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from folkmoot.flight.part import LEAST, LIMIT
from folkmoot.ids import NAME
from folkmoot.link.settings import Broker
from folkmoot.log import Settings as Log

PREFIX = "FOLKMOOT_CLOUD"
Port = Annotated[int, Meta(ge=0, le=65535)]
MIB = 1024 * 1024


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where the API listens."""

    host: str = "127.0.0.1"
    port: Port = 8080  # 0: any free one


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything is kept."""

    url: str = ""  # sqlite:///path or postgresql://user:password@host/name; empty: cloud.sqlite in the data folder


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Keys to the API."""

    bootstrap_file: Path | None = None  # the first start writes its token here (mode 0600), beside standard error


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is taken."""

    request: Annotated[int, Meta(ge=1024, le=64 * MIB)] = MIB  # bytes of a JSON body
    bundle: Annotated[int, Meta(ge=1024, le=256 * MIB)] = 64 * MIB  # bytes of an uploaded task
    events_days: Annotated[int, Meta(ge=1, le=3650)] = 7  # how long events can be resumed from


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The cloud's settings, one section each."""

    data: Path = Path("data")  # folder for the SQLite file and for large blobs
    namespace: Annotated[str, Meta(pattern=NAME)] = "fl"  # first level of the topics
    replica: Annotated[str, Meta(pattern=NAME)] = "cloud"  # this process among several: holder of leases, MQTT client
    record: Path | None = (
        None  # folder of the flight recorder (docs/replay.md): what comes in is written there; None: nothing is
    )
    record_limit: Annotated[int, Meta(ge=LEAST)] = LIMIT  # bytes of it
    listen: Listen = Listen()
    database: Storage = Storage()
    broker: Broker = Broker(keepalive_seconds=30)  # the one that the gateways meet
    tokens: Tokens = Tokens()
    limits: Limits = Limits()
    log: Log = Log()

    @property
    def database_url(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database.url or f"sqlite:///{(self.data / 'cloud.sqlite').absolute()}"
