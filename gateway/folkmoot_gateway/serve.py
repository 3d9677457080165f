"""Puts a gateway's program on its two links."""

import asyncio
from typing import Any

from folkmoot import __version__
from folkmoot.flight import recorder as flights
from folkmoot.flight.recorder import Flight
from folkmoot.hop.batch import Batch
from folkmoot.serve.lives import keep
from folkmoot.serve.port import Births
from folkmoot.serve.station import HOME, INLINE, UPLINK, Station
from folkmoot.wire.messages import Hello
from folkmoot_gateway.flight import Frame, Home
from folkmoot_gateway.settings import Settings

# Partials are integers, up to twice as wide as the float32 of updates, and the uplink's broker is configured by us (ms, bytes).
INLINE_UP = 2 * INLINE
GRACE = 1_500  # ms from away to gone for each second of keepalive: by then the broker would have heard from a member twice


async def serve(settings: Settings, until: asyncio.Event) -> None:
    """Runs a gateway until `until` is set, over however many lives (folkmoot.serve.lives).

    Raises StoreFault where its folder does not do for good, UserFault where it is to record into a folder that cannot be used.
    """
    recorder = flights.recorder(settings.record, f"gateway-{settings.id}", settings.record_limit)

    async def live(station: Station) -> None:
        flight = flights.flight(recorder)
        await station.run(build(settings, station, flight), until)
        flight.end()

    await keep(settings.folder, until, live)


def build(settings: Settings, station: Station, flight: Flight) -> Any:
    """Gives a gateway as its folder has it. Raises StoreFault."""
    station.cache.synced = True
    frame = Frame(
        id=settings.id,
        namespace=settings.namespace,
        above=settings.above,
        inline_up=INLINE_UP,
        inline=INLINE,
        grace=settings.home.keepalive_seconds * GRACE,
        hello=Hello(software=f"folkmoot {__version__}", devices=()),
    )
    births: dict[str, Births] = {}
    blobs, spool, outbox = flight.library(station.cache), flight.spool(station.spool), flight.outbox(station.ledger)
    home = Home(frame, blobs, spool, outbox, flight.births(lambda hop: births[hop].current))
    births["up"] = station.join("up", settings.cloud, home.above.tree, settings.id, upper=False, traffic=UPLINK)
    births["down"] = station.join("down", settings.home, home.below.tree, settings.id, upper=True, traffic=HOME)
    station.ports["down"].outlet.sent = flight.sent(home.below.sent)
    lost = home.take_up(list(station.ledger.histories()))
    station.ledger.commit([Batch(0, forgets=lost)], {})
    flight.begin(home, station.timeline.now())
    return flight.wrap(home.node)
