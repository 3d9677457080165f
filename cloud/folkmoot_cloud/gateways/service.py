"""Gateways as operators see them, and as their messages tell of them."""

from collections.abc import Sequence
from datetime import datetime

from folkmoot.hop.roster import Entry
from folkmoot.wire import codec
from folkmoot.wire.messages import Hello
from folkmoot_cloud.columns import milliseconds
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.devices import repository as devices
from folkmoot_cloud.events import repository as events
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.gateways import repository
from folkmoot_cloud.gateways.schemas import GatewayView
from folkmoot_cloud.pages import Page, Rows
from folkmoot_cloud.tables import Gateway


async def show(session: ReadSession, tenant: str, gateway: str) -> GatewayView:
    """Gives a gateway. Raises NotFound."""
    found = await repository.find(session, tenant, gateway)
    if found is None:
        raise NotFound(f"there is no gateway {gateway}: it has never come up at the broker")
    return (await _views(session, tenant, [found]))[0]


async def views(session: ReadSession, tenant: str, gateways: Rows[Gateway]) -> Page[GatewayView]:
    """Gives the gateways of a page, and how many devices they have."""
    return Page(items=await _views(session, tenant, gateways.items), next=gateways.next)


async def _views(session: ReadSession, tenant: str, gateways: Sequence[Gateway]) -> list[GatewayView]:
    homes = await repository.homes(session, tenant, [one.id for one in gateways])
    return [
        GatewayView.model_validate(
            {name: getattr(one, name) for name in GatewayView.model_fields if name != "devices"} | {"devices": homes[one.id]}
        )
        for one in gateways
    ]


async def told(session: Session, tenant: str, gateway: str, entry: Entry, at: datetime) -> None:
    """Takes what the roster knows of a gateway: its state, and from its hello its readiness and the devices below it.

    A device that a new hello lists no more is gone. A hello that is known changes nothing but when the gateway was seen.
    """
    known = await repository.find(session, tenant, gateway)
    before = known.state if known is not None else ""
    hello = entry.hello if entry.hello is not None else Hello(ready=False, why_not="its hello has not come yet")
    digest = codec.digest(codec.dump(hello)).hex()
    row = {
        "tenant": tenant,
        "id": gateway,
        "state": entry.state,
        "birth": max(entry.birth, 0),
        "hello": digest,
        "software": entry.software or hello.software,
        "runtime": hello.runtime,
        "memory": hello.memory,
        "features": list(hello.features),
        "max_packet": hello.max_packet,
        "ready": hello.ready,
        "why_not": hello.why_not,
        "first_seen": at,
        "last_seen": at,
        **_counted(known, at),
    }
    await repository.put(session, row)
    if entry.hello is not None and (known is None or known.hello != digest):
        await devices.below(session, tenant, gateway, hello.devices or (), at)
    if before != entry.state:
        events.append(session, tenant, "gateway.changed", at, {"gateway": gateway, "state": entry.state})
    if known is not None:
        session.expunge(known)  # the row was changed behind the session's back


def _counted(known: Gateway | None, at: datetime) -> dict[str, object]:
    """Gives for how many ms a gateway could have been asked, and for how many it could not, up to which time."""
    if known is None:
        return {"changed_at": at, "up_ms": 0, "down_ms": 0}
    until = max(at, known.changed_at)  # a clock that was set back counts nothing twice
    passed = milliseconds(until) - milliseconds(known.changed_at)
    up = known.state == "up" and known.ready
    return {"changed_at": until, "up_ms": known.up_ms + passed * up, "down_ms": known.down_ms + passed * (not up)}
