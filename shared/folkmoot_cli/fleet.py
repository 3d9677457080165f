"""`folkmoot gateway list`, `folkmoot device list`: who is there."""

from enum import StrEnum
from typing import Annotated

import typer

from folkmoot_cli import output
from folkmoot_cli.api import connect
from folkmoot_cli.options import URL, AsJson, Limit, TokenFile, Url


class State(StrEnum):
    """How somebody is, as far as the cloud knows."""

    UP = "up"
    SLEEPING = "sleeping"
    AWAY = "away"
    GONE = "gone"


OfState = Annotated[State | None, typer.Option(help="Only those in this state.")]


async def gateways(
    state: OfState = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """List the gateways that a cloud knows."""
    async with connect(url, token_file) as cloud:
        found = await cloud.listing("gateways", limit=limit, state=state)
    if as_json:
        output.document(found)
        return
    columns = ("gateway", "state", "devices up#", "others#", "takes part", "software", "last seen")
    output.table(
        columns,
        (
            (
                one["id"],
                one["state"],
                one["devices"].get("up", 0),
                sum(one["devices"].values()) - one["devices"].get("up", 0),
                "yes" if one["ready"] else one["why_not"] or "no",
                one["software"],
                output.moment(one["last_seen"]),
            )
            for one in found
        ),
    )


async def devices(
    gateway: Annotated[str | None, typer.Option(help="Only those below this gateway.")] = None,
    state: OfState = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """List the devices that a cloud knows."""
    async with connect(url, token_file) as cloud:
        found = await cloud.listing("devices", limit=limit, gateway=gateway, state=state)
    if as_json:
        output.document(found)
        return
    columns = ("device", "gateway", "state", "examples#", "data", "runtime", "memory#", "last seen")
    output.table(
        columns,
        (
            (
                one["id"],
                one["gateway"],
                f"{one['state']}: {one['why_not']}" if one.get("why_not") else one["state"],
                one["examples"],
                one["data"],
                one["runtime"],
                output.size(one["memory"]) if one["memory"] else None,
                output.moment(one["last_seen"]),
            )
            for one in found
        ),
    )
