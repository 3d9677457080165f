"""Puts a gateway's program on its two links."""

import asyncio

from folkmoot import __version__
from folkmoot.hop.batch import Batch
from folkmoot.hop.lower import Lower
from folkmoot.hop.upper import Upper
from folkmoot.serve.lives import keep
from folkmoot.serve.station import HOME, INLINE, UPLINK, Station
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree
from folkmoot_gateway.node import Gateway
from folkmoot_gateway.settings import Settings

# Partials are integers, up to twice as wide as the float32 of updates, and the uplink's broker is configured by us (ms, bytes).
INLINE_UP = 2 * INLINE
GRACE = 1_500  # ms from away to gone for each second of keepalive: by then the broker would have heard from a member twice


async def serve(settings: Settings, until: asyncio.Event) -> None:
    """Runs a gateway until `until` is set, over however many lives (folkmoot.serve.lives).

    Raises StoreFault where its folder does not do for good.
    """

    async def live(station: Station) -> None:
        await station.run(build(settings, station), until)

    await keep(settings.folder, until, live)


def build(settings: Settings, station: Station) -> Gateway:
    """Gives a gateway as its folder has it. Raises StoreFault."""
    station.cache.synced = True
    cloud, home = Tree(settings.namespace, settings.above), Tree(settings.namespace, settings.id)
    above = Lower(cloud, settings.id, station.cache, station.spool, station.ledger, INLINE_UP)
    above.hello = Hello(software=f"folkmoot {__version__}", devices=())
    below = Upper(home, settings.id, station.spool, INLINE)
    below.software = above.hello.software
    births = {
        "up": station.join("up", settings.cloud, cloud, settings.id, upper=False, traffic=UPLINK),
        "down": station.join("down", settings.home, home, settings.id, upper=True, traffic=HOME),
    }
    station.ports["down"].outlet.sent = below.sent
    node = Gateway(above, below, station.cache, settings.home.keepalive_seconds * GRACE, lambda hop: births[hop].current)
    lost = node.restore(list(station.ledger.histories()), station.ledger.payload)
    station.ledger.commit([Batch(0, forgets=lost)], {})
    return node
