"""`folkmoot fleet`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from folkmoot import config, ids, log
from folkmoot.errors import UserFault
from folkmoot.link.settings import Broker
from folkmoot.serve import entry
from folkmoot_device.fleet import PREFIX, Settings, serve


def fleet(
    gateway: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT]", help="The home's broker, where the gateway is. 127.0.0.1 where left away."),
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="How many. Where left away 20, or all clients of --examples.")
    ] = None,
    name: Annotated[str | None, typer.Option("--id", help="The gateway's id, where the broker knows several.")] = None,
    examples: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Deals these (.npz with x, y, contract and, if known, client) instead of digits."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Journals and examples; a fleet that is started in it again goes on.", file_okay=False)
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(min=1e-3, help="Small: each device knows few classes. Large: all alike.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides who is dealt what.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings, TOML: the section home says how to reach a secured broker."),
    ] = None,
) -> int:
    """Simulate the devices of a home, many in few processes.

    Each is a real member: its own connection, identity and examples, and it really trains. What they are dealt are
    scikit-learn's digits, or the examples of a file: each client that it tells of is then one device.

    Example: folkmoot fleet --gateway 127.0.0.1 --devices 50

    Example: folkmoot fleet --examples train.npz
    """
    settings = config.load(file, Settings, PREFIX)
    given = {"devices": devices, "gateway": name, "examples": examples, "folder": folder, "alpha": alpha, "seed": seed}
    settings = msgspec.structs.replace(settings, **{key: value for key, value in given.items() if value is not None})
    if name is not None:
        ids.check(name, "--id")
    if gateway is not None:
        settings = msgspec.structs.replace(settings, home=_at(settings.home, gateway))
    log.setup(settings.log.level, json=settings.log.json)
    return entry.guarded(settings, serve)


def _at(home: Broker, place: str) -> Broker:
    """Gives the broker at HOST or HOST:PORT. Raises UserFault for anything else."""
    host, _, port = place.partition(":")
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65_536)):
        raise UserFault(f"--gateway {place!r}: write a host, or a host and a port, such as 192.168.1.7:1883")
    return msgspec.structs.replace(home, host=host, port=int(port) if port else home.port)
