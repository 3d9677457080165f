"""A device in a simulated federation: the real agent, whose training takes some virtual time."""

from random import Random

from folkmoot.hop import member
from folkmoot.hop.lower import Lower
from folkmoot.simulate import toy
from folkmoot.simulate.host import Host, Place
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree
from folkmoot_device.agent import Agent, Trained, Trainer

TRAIN_MS = (50, 3_000)


class DeviceHost(Host):
    """A device of one home."""

    def __init__(self, name: str, place: Place, gateway: str, parameters: int) -> None:
        super().__init__(name, place)
        self._gateway = gateway
        self._parameters = parameters
        self.train_ms = Random(place.seed).randint(*TRAIN_MS)  # noqa: S311  # repeatable
        self.trained = 0

    def make(self) -> Agent:
        """Gives the agent."""
        tree = Tree("fl", self._gateway)
        above = self.above = Lower(tree, self.name, self.cache, self.spool, self.ledger, self.place.inline)
        above.hello = Hello(data=toy.CONTRACT, examples=toy.examples(self.name), max_packet=self.place.max_packet)
        births = self.join("up", tree, self.name, upper=False)
        agent = Agent(above, Trainer(self._train, self._stop), lambda: births.current, lambda: "")
        agent.restore(list(self.ledger.histories()))
        return agent

    def _train(self, item: member.Member) -> None:
        life, ask, deed = self.node, item.ask, item.id

        def done() -> None:
            if self.up and self.node is life:
                self.trained += 1
                self.driver.post("work", Trained(deed, toy.payload(self.name, ask, self._parameters)))

        self.place.agenda.at(self.place.agenda.now + self.train_ms, done)

    def _stop(self, ask: bytes) -> None:
        self.driver.post("work", None)
