"""A gateway in a simulated federation: the real program."""

from collections.abc import Mapping
from functools import partial

from folkmoot.hop.batch import Batch
from folkmoot.serve.port import Births
from folkmoot.simulate.host import Host, Place
from folkmoot.simulate.shown import Show, Shown, nobody
from folkmoot.wire.messages import Hello
from folkmoot_gateway.flight import Frame, Home
from folkmoot_gateway.node import Gateway

GRACE = 90_000  # ms: 1.5 keepalives of 60 s


def _current(births: Mapping[str, Births], hop: str) -> int:
    return births[hop].current


class GatewayHost(Host):
    """A gateway, of a home or of other gateways."""

    grace = GRACE
    show: Show = staticmethod(nobody)
    """Sees each round of the home when it is over."""

    def __init__(self, name: str, place: Place, above: str = "") -> None:
        """`above`: the gateway above, where there is one."""
        super().__init__(name, place)
        self._above = above

    def show_all(self) -> None:
        """Shows the rounds that it has not forgotten."""
        for open in self.below.rounds.values() if self.up else ():
            self.show(open)

    def make(self) -> Gateway:
        """Gives the program, with what was under way."""
        self.cache.synced = True
        frame = Frame(
            id=self.name,
            above=self._above,
            inline_up=2 * self.place.inline,
            inline=self.place.inline,
            grace=self.grace,
            hello=Hello(devices=(), max_packet=self.place.max_packet),
        )
        flight = self.flight
        births: dict[str, Births] = {}
        blobs, spool, outbox = flight.library(self.cache), flight.spool(self.spool), flight.outbox(self.ledger)
        home = Home(frame, blobs, spool, outbox, flight.births(partial(_current, births)), Shown)
        self.above, self.below = home.above, home.below
        assert isinstance(home.below, Shown)
        home.below.show = self.show
        births["up"] = self.join("up", self.above.tree, self.name, upper=False)
        births["down"] = self.join("down", self.below.tree, self.name, upper=True)
        self.ports["down"].outlet.sent = flight.sent(self.below.sent)
        lost = home.take_up(list(self.ledger.histories()))
        self.ledger.commit([Batch(0, forgets=lost)], {})
        flight.begin(home, self.timeline.now())
        return home.node
