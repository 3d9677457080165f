"""What a device's settings file says: device.toml, and FOLKMOOT_DEVICE_* in the environment."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from folkmoot.ids import NAME
from folkmoot.link.settings import Broker
from folkmoot.log import Settings as Log

PREFIX = "FOLKMOOT_DEVICE"


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """The process that trains."""

    idle_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60  # after which it goes, and its memory with it
    nice: Annotated[int, Meta(ge=0, le=19)] = 10  # what the device is for comes first
    memory_mb: Annotated[int, Meta(ge=0)] = 0  # at which it is refused more; 0: no limit
    threads: Annotated[int, Meta(ge=1, le=64)] = 1


class Examples(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to train on."""

    contract: Annotated[str, Meta(pattern=NAME)]  # the data contract that they meet: a task names it
    file: Path | None = None  # SQLite; examples.db in the folder where it is not set
    least: Annotated[int, Meta(ge=1)] = 1  # below which the device takes no part


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One device."""

    id: Annotated[str, Meta(pattern=NAME)]  # global, never reused
    gateway: Annotated[str, Meta(pattern=NAME)]  # id of the home's gateway
    examples: Examples
    folder: Path = Path("/var/lib/folkmoot-device")  # journal, kept answers, cached models
    namespace: Annotated[str, Meta(pattern=NAME)] = "fl"  # first level of every topic: one a tenant
    home: Broker = Broker()  # the home's broker
    training: Training = Training()
    log: Log = Log()

    @property
    def store(self) -> Path:
        """Where the examples are."""
        return self.examples.file or self.folder / "examples.db"
