"""A gateway in a simulated federation: the real program."""

from folkmoot.hop.batch import Batch
from folkmoot.hop.lower import Lower
from folkmoot.simulate.host import Host, Place
from folkmoot.simulate.shown import Show, Shown, nobody
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree
from folkmoot_gateway.node import Gateway

GRACE = 90_000  # ms: 1.5 keepalives of 60 s


class GatewayHost(Host):
    """A gateway, of a home or of other gateways."""

    grace = GRACE
    show: Show = staticmethod(nobody)
    """Sees each round of the home when it is over."""

    def __init__(self, name: str, place: Place, above: str = "") -> None:
        """`above`: the gateway above, where there is one."""
        super().__init__(name, place)
        self._tree = Tree("fl", above)

    def show_all(self) -> None:
        """Shows the rounds that it has not forgotten."""
        for open in self.below.rounds.values() if self.up else ():
            self.show(open)

    def make(self) -> Gateway:
        """Gives the program, with what was under way."""
        home = Tree("fl", self.name)
        self.cache.synced = True
        above = self.above = Lower(self._tree, self.name, self.cache, self.spool, self.ledger, 2 * self.place.inline)
        above.hello = Hello(devices=(), max_packet=self.place.max_packet)
        below = self.below = Shown(home, self.name, self.spool, self.place.inline)
        below.show = self.show
        births = {
            "up": self.join("up", self._tree, self.name, upper=False),
            "down": self.join("down", home, self.name, upper=True),
        }
        self.ports["down"].outlet.sent = below.sent
        node = Gateway(above, below, self.cache, self.grace, lambda hop: births[hop].current)
        lost = node.restore(list(self.ledger.histories()), self.ledger.payload)
        self.ledger.commit([Batch(0, forgets=lost)], {})
        return node
