"""Many devices in one process: each with its own connection, identity, journal and examples; a few processes train for them.

`python -m folkmoot_device.crowd SETTINGS` is started by the fleet simulator (folkmoot_device.fleet), with what it is to run as
JSON.
"""

import asyncio
import resource
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from folkmoot import log
from folkmoot.errors import FolkmootError
from folkmoot.link.settings import Broker
from folkmoot.log import Settings as Log
from folkmoot.serve import entry
from folkmoot.serve.training import Limits, Pool
from folkmoot_device.serve import run
from folkmoot_device.settings import Examples, Settings

FILES = 16  # descriptors that a device takes at most: two databases with their logs, a socket, a transfer under way


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """What one process runs."""

    names: tuple[str, ...]
    gateway: str
    namespace: str
    folder: Path  # with a folder for each device
    contract: str
    home: Broker
    trainers: Annotated[int, Meta(ge=1)]
    log: Log

    def device(self, name: str) -> Settings:
        """Gives the settings of one of them."""
        return Settings(
            id=name,
            gateway=self.gateway,
            namespace=self.namespace,
            folder=self.folder / name,
            home=self.home,
            examples=Examples(contract=self.contract),
            log=self.log,
        )


async def serve(crowd: Crowd, until: asyncio.Event) -> None:
    """Runs the devices until `until` is set. Raises StoreFault where one of them has no place to live."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES * len(crowd.names) + 256
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))
    pool = Pool(crowd.trainers, limits=Limits(nice=0))
    try:
        async with asyncio.TaskGroup() as group:
            for name in crowd.names:
                group.create_task(run(crowd.device(name), pool, until), name=name)
    except* FolkmootError as faults:
        raise faults.exceptions[0] from None
    finally:
        await pool.close()


def dump(crowd: Crowd) -> str:
    """Gives the argument that starts a process of these devices."""
    return msgspec.json.encode(crowd, enc_hook=str).decode()


def load(text: str) -> Crowd:
    """Gives what `dump` has written."""
    return msgspec.json.decode(text, type=Crowd, dec_hook=lambda form, value: form(value))


if __name__ == "__main__":
    told = load(sys.argv[1])
    log.setup(told.log.level, json=told.log.json)
    sys.exit(entry.guarded(told, serve))
