"""A device in a simulated federation: the real agent, whose work takes virtual time."""

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Protocol

import msgspec

from folkmoot.hop import member
from folkmoot.hop.lower import Lower
from folkmoot.simulate import toy
from folkmoot.simulate.host import Host, Place
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree
from folkmoot_device.agent import Agent, Failed, Trained, Trainer

TRAIN_MS = (50, 3_000)


@dataclass(frozen=True, slots=True)
class Work:
    """What becomes of an Ask, and when."""

    ms: int  # of virtual time
    payload: bytes = b""  # an encoded partial
    failure: tuple[str, str] = ("", "")  # reason and detail, where there is none


class Trade(Protocol):
    """What a device knows of its work."""

    hello: Hello

    def work(self, item: member.Member, library: Any) -> Work:
        """Does an Ask whose blobs `library` reads."""
        ...

    def stop(self) -> None:
        """The work that was begun last ends now."""
        ...


class ToyTrade:
    """A task without a runtime."""

    def __init__(self, device: str, seed: int, parameters: int, max_packet: int) -> None:
        self.hello = Hello(data=toy.CONTRACT, examples=toy.examples(device), max_packet=max_packet)
        self.train_ms = Random(seed).randint(*TRAIN_MS)  # noqa: S311  # repeatable
        self._device = device
        self._parameters = parameters

    def work(self, item: member.Member, library: Any) -> Work:
        """Gives what is a pure function of device and Ask."""
        return Work(self.train_ms, toy.payload(self._device, item.ask, self._parameters))

    def stop(self) -> None:
        """Nobody counts what a toy works."""


class DeviceHost(Host):
    """A device of one home."""

    __slots__ = ("_deed", "_gateway", "_why_not", "above", "trade", "trained")

    def __init__(self, name: str, place: Place, gateway: str, trade: Trade) -> None:
        super().__init__(name, place)
        self._gateway = gateway
        self._why_not = ""
        self._deed = b""  # the Ask that is worked on
        self.trade = trade
        self.trained = 0

    def make(self) -> Agent:
        """Gives the agent."""
        tree = Tree("fl", self._gateway)
        above = self.above = Lower(tree, self.name, self.cache, self.spool, self.ledger, self.place.inline)
        above.hello = self._hello()
        births = self.join("up", tree, self.name, upper=False)
        agent = Agent(above, Trainer(self._train, self._stop), partial(getattr, births, "current"), self._reason)
        agent.restore(list(self.ledger.histories()))
        return agent

    def be(self, why_not: str) -> None:
        """Says why this device takes no part from now on, or "": it refuses, and says so itself with its next heartbeat."""
        if why_not != self._why_not:
            self._why_not = why_not
            if self.up:
                self.above.hello = self._hello()

    def _hello(self) -> Hello:
        hello = self.trade.hello
        if self._why_not:
            hello = msgspec.structs.replace(hello, ready=False, why_not=self._why_not)
        return hello

    def _reason(self) -> str:
        return self._why_not

    def _train(self, item: member.Member) -> None:
        self._deed = item.id
        work = self.trade.work(item, self.cache)
        reason, detail = work.failure
        done = Failed(item.id, reason, detail) if reason else Trained(item.id, work.payload)
        self.place.agenda.at(self.place.agenda.now + work.ms, self._end, self.lives, done)

    def _end(self, life: int, done: Trained | Failed) -> None:
        if self.up and self.lives == life and self._deed == done.ask:
            self._deed = b""
            self.trained += 1
            self.driver.post("work", done)

    def _stop(self, ask: bytes) -> None:
        if ask == self._deed:
            self._deed = b""
            self.trade.stop()
            self.driver.post("work", Failed(ask, "cancelled"))
