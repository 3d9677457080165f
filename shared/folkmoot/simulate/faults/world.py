"""The machines of one run, the brokers between them, and the time of all."""

from collections.abc import Callable
from random import Random
from typing import Any

from folkmoot.link.adversary import Adversary
from folkmoot.link.agenda import Agenda
from folkmoot.link.hub import Hub
from folkmoot.simulate.disk import Crash, Disk
from folkmoot.simulate.faults.plan import BrokerStop, Plan, SetClock
from folkmoot.simulate.host import Ears, Host, Place, Stop, Stores
from folkmoot.simulate.stuck import Stuck
from folkmoot.simulate.tiers import tier

LIMIT = 3_600_000  # ms that a run of some rounds may last, whatever goes wrong in it


class World:
    """Homes by gateway, each with its devices and a broker; one cloud with another broker."""

    def __init__(self, plan: Plan, stores: Callable[[str], Stores] = lambda name: Disk()) -> None:
        """`stores(name)`: what a machine's disk is."""
        self.plan = plan
        self.agenda = Agenda()
        self.ears = Ears()
        self.rng = Random(plan.seed)  # noqa: S311  # repeatable
        self.cloud_hub = self._hub()
        self.home_hubs = {name: self._hub() for name in plan.homes}
        self.hubs = {"cloud": self.cloud_hub, **self.home_hubs}
        self._ids = 0

        def place(name: str, **hops: Hub) -> Place:
            return Place(
                agenda=self.agenda,
                make_id=self._id,
                seed=self.rng.getrandbits(48),
                hubs=hops,
                inline=plan.inline,
                max_packet=plan.max_packet,
                ears=self.ears,
                stores=stores(name),
                guard=self._guard,
            )

        self.cloud: Any = tier("cloud").CloudHost("cloud", place("cloud", down=self.cloud_hub))
        self.gateways: dict[str, Any] = {
            name: tier("gateway").GatewayHost(name, place(name, up=self.cloud_hub, down=self.home_hubs[name]))
            for name in plan.homes
        }

        def device(name: str, home: str) -> Any:
            its = place(name, up=self.home_hubs[home])
            trade = tier("device").ToyTrade(name, its.seed, plan.parameters, plan.max_packet)
            return tier("device").DeviceHost(name, its, home, trade)

        self.devices: dict[str, Any] = {name: device(name, home) for home, devices in plan.homes.items() for name in devices}
        self.hosts: dict[str, Host] = {"cloud": self.cloud, **self.gateways, **self.devices}
        for mishap in plan.mishaps:
            self._plan(mishap)

    def _hub(self) -> Hub:
        return Hub(Random(self.rng.random()), self.plan.adversary, agenda=self.agenda)  # noqa: S311

    def _id(self) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(16, "big")

    def start(self) -> None:
        """Boots every machine."""
        for name in self.hosts:
            self.boot(name)

    def launch(self) -> None:
        """Begins the plan's run."""
        module = tier("cloud")
        fields = {**self.plan.terms, "cohort": module.Cohort(devices=self.plan.cohort)}
        self.cloud.enter(module.campaign(self.plan.parameters, self.plan.rounds, **fields))

    # Misfortune.

    def _plan(self, mishap: Stop | SetClock | BrokerStop) -> None:
        match mishap:
            case Stop():
                self.agenda.at(mishap.at, lambda: self._stop(mishap))
            case SetClock(host, at, setting):
                self.agenda.at(at, lambda: self._set(host, setting))
            case BrokerStop(hub, at, remember):
                self.agenda.at(at, lambda: self._restart(hub, remember))

    def _set(self, name: str, setting: Any) -> None:
        self.hosts[name].clock = setting
        self.ears.happened(name, f"its wall clock is set: {setting}")

    def _restart(self, name: str, remember: bool) -> None:
        self.ears.happened(f"broker of {name}", "stops, and is back " + ("as it was" if remember else "without any memory"))
        self.hubs[name].restart(remember=remember)

    def _stop(self, mishap: Stop) -> None:
        host = self.hosts[mishap.host]
        if not host.up:
            return
        if mishap.steps:
            host.countdown, host.doom = mishap.steps, mishap
        else:
            self.crash(mishap.host, power=mishap.power, absence=mishap.absence)

    def crash(self, name: str, *, power: bool, absence: int) -> None:
        """Stops a machine and plans its return."""
        self.ears.happened(name, "loses power" if power else "is killed")
        self.hosts[name].kill(power=power)
        self.agenda.at(self.now + absence, lambda: self.boot(name))

    def boot(self, name: str) -> None:
        """Starts a machine that is off."""
        if not self.hosts[name].up:
            self.ears.happened(name, "boots")
            self._guard(self.hosts[name].start)

    def _guard(self, action: Callable[[], None]) -> None:
        """Does something in which a machine may crash."""
        try:
            action()
        except Crash as crash:
            host = self.hosts[str(crash)]
            assert host.doom is not None
            self.crash(host.name, power=host.doom.power, absence=host.doom.absence)

    # Time.

    @property
    def now(self) -> int:
        """The time, in ms."""
        return self.agenda.now

    @property
    def finished(self) -> bool:
        """Whether every run is over."""
        return bool(self.cloud.finished)

    def wait(self, ms: int) -> None:
        """Lets some time pass."""
        end = self.now + ms
        self.agenda.at(end, lambda: None)
        self.run(lambda: self.now >= end, ms)

    def calm(self) -> None:
        """Ends all misfortune that is still to come from the network."""
        for hub in self.hubs.values():
            hub.adversary = Adversary()

    def run(self, until: Callable[[], bool], limit: int = LIMIT) -> None:
        """Lets time pass until something is so. Raises Stuck where it is not so after `limit` ms."""
        end = self.now + limit
        while not until():
            nearest = self.agenda.next
            if nearest is None:
                raise Stuck(f"nothing will ever happen again, at {self.now} ms")
            if nearest > end:
                raise Stuck(f"it is not so after {limit} ms")
            while self.agenda.next == nearest:
                self._guard(self.agenda.step)

    def close(self) -> None:
        """Ends every machine."""
        for host in self.hosts.values():
            if host.up:
                host.kill()
