"""What a gateway's settings file says: gateway.toml, and FOLKMOOT_GATEWAY_* in the environment."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from folkmoot.flight.part import LEAST, LIMIT
from folkmoot.ids import NAME
from folkmoot.link.settings import Broker
from folkmoot.log import Settings as Log

PREFIX = "FOLKMOOT_GATEWAY"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway."""

    id: Annotated[str, Meta(pattern=NAME)]  # global, never reused
    folder: Path = Path("/var/lib/folkmoot-gateway")  # journal, kept answers, cached models
    namespace: Annotated[str, Meta(pattern=NAME)] = "fl"  # first level of every topic: one a tenant
    home: Broker = Broker()  # towards the devices
    cloud: Broker = Broker(keepalive_seconds=30)  # towards the cloud, or a gateway above
    record: Path | None = (
        None  # folder of the flight recorder (docs/replay.md): what comes in is written there; None: nothing is
    )
    record_limit: Annotated[int, Meta(ge=LEAST)] = LIMIT  # bytes of it
    above: str = ""  # id of the gateway above, where there is one: then `cloud` is that gateway's broker
    log: Log = Log()
