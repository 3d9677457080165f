"""What one simulated run is: who is there, what they learn, and everything that goes wrong, all of it decided by a seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from folkmoot.link.adversary import Adversary, Partition
from folkmoot.simulate.clock import Setting
from folkmoot.simulate.host import Stop
from folkmoot.wire.messages import Offline

INLINE, MAX_PACKET = 65_536, 262_144  # bytes: those of the real nodes
# With these a model of some thousand parameters travels in as many pieces as one of a million does with the real ones.
SMALL_INLINE, SMALL_PACKET = 2_048, 8_192
HOMES = ((("a", "b"), ("c", "d")), (("a", "b", "c"), ("d",)), (("a",), ("b",), ("c",)), (("a", "b", "c", "d"),))


@dataclass(frozen=True, slots=True)
class SetClock:
    """Somebody, or a lost battery, sets a machine's wall clock."""

    host: str
    at: int  # ms
    setting: Setting


@dataclass(frozen=True, slots=True)
class BrokerStop:
    """A broker stops and is there again at once, with all that it knew or with nothing."""

    hub: str  # a gateway's name, or cloud
    at: int  # ms
    remember: bool


Mishap = Stop | SetClock | BrokerStop


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    seed: int
    homes: Mapping[str, tuple[str, ...]]  # gateway to its devices
    adversary: Adversary = field(default_factory=Adversary)
    mishaps: tuple[Mishap, ...] = ()
    parameters: int = 50
    rounds: int = 3
    inline: int = INLINE
    max_packet: int = MAX_PACKET
    terms: Mapping[str, Any] = field(default_factory=dict)  # of the run: fields of its Spec
    cohort: int | None = None  # devices wanted a round; None: all

    @property
    def machines(self) -> tuple[str, ...]:
        """Every machine's name, the cloud first."""
        return ("cloud", *self.homes, *(device for devices in self.homes.values() for device in devices))


def draw(seed: int) -> Plan:
    """Gives the run of a seed."""
    rng = Random(seed)  # noqa: S311  # repeatable
    homes = {f"g{number}": devices for number, devices in enumerate(rng.choice(HOMES), 1)}
    chunked = rng.random() < 0.3
    plan = Plan(
        seed,
        homes,
        parameters=rng.choice([3_000, 9_000]) if chunked else 8,
        rounds=rng.choice([1, 2, 3]),
        inline=SMALL_INLINE if chunked else INLINE,
        max_packet=SMALL_PACKET if chunked else MAX_PACKET,
        terms={
            "deadline": rng.choice([20_000, 60_000]),
            "minimum": rng.choice([1, 1, 2]),
            "over_selection": rng.choice([1.0, 1.0, 1.5]),
        },
        cohort=rng.choice([None, None, 2]),
    )
    horizon = 15_000 * plan.rounds  # ms in which something may go wrong; an undisturbed round takes 4 s at most
    plan = replace(plan, adversary=_adversary(rng, plan.machines, horizon), mishaps=_mishaps(rng, plan, horizon))
    plan = _offline(rng, plan, horizon)  # behind the others: the runs without a policy are what they were before there was one
    # The last draw, for the same reason. What travels as int8 changes nothing but the bytes of updates.
    return plan if rng.random() < 0.8 else replace(plan, terms={**plan.terms, "transform": "int8"})


def _adversary(rng: Random, machines: tuple[str, ...], horizon: int) -> Adversary:
    if rng.random() < 0.2:
        return Adversary()  # a good network, so that machines that fail are seen by themselves
    clients = [name for name in machines if name != "cloud"] + ["cloud-down"]
    partitions = []
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        start = rng.randint(0, horizon)
        some = frozenset(rng.sample(clients, rng.randint(1, len(clients))))
        partitions.append(Partition(some, start, start + rng.choice([500, 5_000, 70_000])))
    return Adversary(
        drop=rng.choice([0, 0, 0.1, 0.3]),
        duplicate=rng.choice([0, 0, 0.2]),
        linger=rng.choice([0, 0, 0.05]),
        corrupt=rng.choice([0, 0, 0, 0.02, 0.1]),
        truncate=rng.choice([0, 0, 0, 0.02]),
        reorder=rng.choice([0, 0, 0.2]),
        cut=rng.choice([0, 0, 0.01]),
        delay_ms=rng.choice([(1, 1), (1, 1), (1, 300)]),
        partitions=tuple(partitions),
    )


def _offline(rng: Random, plan: Plan, horizon: int) -> Plan:
    """Gives some runs a policy, and homes that cannot be reached: for long enough, where they may go on by themselves."""
    if rng.random() < 0.7:
        return plan
    policy = Offline(
        staleness=rng.choice([0, 1, 2, 3]),
        discount=rng.choice([0.0, 0.5, 1.0]),
        rounds=rng.choice([0, 0, 1, 2]),
        seconds=rng.choice([60, 600]),
    )
    start = rng.randint(0, horizon)
    homes = frozenset(plan.homes if policy.rounds else rng.sample(list(plan.homes), 1))
    away = Partition(
        homes, start, start + rng.choice([100_000, 150_000, 300_000] if policy.rounds else [5_000, 30_000, 70_000])
    )
    adversary = replace(plan.adversary, partitions=(*plan.adversary.partitions, away))
    terms = {**plan.terms, "offline": policy}
    plan = replace(plan, adversary=adversary, terms=terms, rounds=plan.rounds + rng.choice([0, 2]))
    buffer = rng.choice([0, 0, 1, 2])
    if buffer:  # nobody waits for anybody
        terms |= {"buffer": buffer, "over_selection": 1.0, "minimum": 1}
        plan = replace(plan, terms=terms, rounds=plan.rounds + 2 * len(plan.homes))
    return plan


def _mishaps(rng: Random, plan: Plan, horizon: int) -> tuple[Mishap, ...]:
    found: list[Mishap] = []
    for _ in range(rng.choice([0, 1, 1, 2, 3, 5])):
        at, host = rng.randint(1, horizon), rng.choice(plan.machines)
        steps = rng.choice([0, rng.randint(1, 4), rng.randint(1, 60)])
        absence = rng.choice([1, rng.randint(1, 5_000), rng.randint(5_000, 40_000)])
        found.append(Stop(host, at, steps, power=rng.random() < 0.5, absence=absence))
    for _ in range(rng.choice([0, 0, 1, 2])):
        setting: Setting = rng.choice(["right", "1970", "next year"])
        found.append(SetClock(rng.choice(plan.machines), rng.randint(0, horizon), setting))
    if rng.random() < 0.25:
        found.append(BrokerStop(rng.choice(["cloud", *plan.homes]), rng.randint(1, horizon), remember=rng.random() < 0.5))
    return tuple(sorted(found, key=lambda one: one.at))
