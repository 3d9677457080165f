"""What must hold of every run that is over, whatever went wrong in it. Each law raises Broken where it does not."""

import builtins
from typing import Any

from folkmoot.hop.ids import ask_id, local_id
from folkmoot.hop.seat import Seat
from folkmoot.link.adversary import Adversary
from folkmoot.simulate.faults import oracle
from folkmoot.simulate.faults.plan import SetClock
from folkmoot.simulate.faults.witness import Broken, Witness
from folkmoot.simulate.faults.world import World
from folkmoot.simulate.host import Stop

# A round closes in the step that its deadline wakes; the world's time is in whole milliseconds.
SLACK = 1_000  # ms
MOMENT = 10_000  # ms that machines may be off in a run of which nobody may be missing
LOCAL = 2  # local rounds after one Ask, at most (folkmoot.simulate.faults.plan)
TRANSFERS = 8  # a program and some models that were not wanted any more when they had half come


def judge(witness: Witness) -> None:
    """Looks at the record of a run, and at what the witness has seen. Raises Broken for the first law that does not hold."""
    world = witness.world
    for law in (numbers, deadlines, kind):
        law(world)
    recorded(witness)
    remembered(witness)


def recorded(witness: Witness) -> None:
    """Looks at what is on record, of a run that is over or not. Raises Broken."""
    unique(witness.world)
    models(witness)
    stale(witness)
    acknowledged(witness)


def numbers(world: World) -> None:
    """Each round is closed once, in order."""
    found = [closed.number for closed in world.cloud.rounds]
    if found != list(range(1, world.plan.rounds + 1)):
        raise Broken("each round is closed once, in order", f"closed were {found}", "cloud")


def unique(world: World) -> None:
    """No device is in a round twice, no answer counts twice, and no model is made of fewer than the minimum."""
    counted: set[bytes] = set()
    for closed in world.cloud.rounds:
        devices = [leaf.device for leaf in closed.sums.leaves if leaf.fate == ""]
        if len(set(devices)) != len(devices):
            raise Broken("contributions are unique", f"round {closed.number} holds {devices}", "cloud")
        asks = [seat.ask for seat in closed.seats.values() if seat.state == "taken"] + [late.ask for late in closed.belated]
        if len(set(asks)) != len(asks) or not counted.isdisjoint(asks):
            raise Broken("contributions are unique", f"an answer in round {closed.number} counts twice", "cloud")
        counted.update(asks)
        devices += [device for late in closed.belated for device in late.leaves if device not in devices]
        if closed.closed.outcome == "complete" and len(devices) < world.plan.terms.get("minimum", 1):
            raise Broken("a round needs its minimum", f"round {closed.number} was made of {devices}", "cloud")


def models(witness: Witness) -> None:
    """A model is what its record says that it was made of, to the last bit."""
    world = witness.world
    expected = oracle.models(world.cloud.rounds, world.plan.parameters, witness.said, world.plan.terms.get("transform"))
    found = {number: sha for (_, number), sha in world.cloud.models.items()}
    for number in sorted(expected.keys() | found.keys()):
        if expected.get(number) != found.get(number):
            raise Broken("a model is what its record says", f"the model of round {number} is not the oracle's", "cloud")


def deadlines(world: World) -> None:
    """A round lasts no longer than its deadline, by a clock that nobody sets; and no shorter where that is why it closed."""
    deadline = world.plan.terms.get("deadline", 60_000)
    doubtful = any(isinstance(mishap, SetClock) and mishap.host == "cloud" for mishap in world.plan.mishaps)
    for number, opened, closed in world.cloud.spans:
        lasted = closed.at - opened.at
        if closed.fact.closed.reason == "deadline" and lasted < deadline:
            raise Broken("no round is over before its deadline", f"round {number} lasted {lasted} ms of {deadline}", "cloud")
        # A cloud whose clock cannot be believed does not know for how long it was off, nor how long it had been on before.
        most = deadline * (1 + closed.lives - opened.lives if doubtful else 1) + closed.off - opened.off + SLACK
        if lasted > most:
            raise Broken("a round is over by its deadline", f"round {number} lasted {lasted} ms of {deadline}", "cloud")


def kind(world: World) -> None:
    """Where rounds wait, the network is good and machines are off for moments only, everybody asked is in the model."""
    plan = world.plan
    stops = [mishap for mishap in plan.mishaps if isinstance(mishap, Stop)]
    good = plan.adversary == Adversary() and len(stops) == len(plan.mishaps)
    hurried = plan.cohort or plan.terms.get("buffer") or plan.terms.get("deadline", 60_000) < 60_000
    if not good or hurried or sum(stop.absence for stop in stops) > MOMENT:
        return
    for closed in world.cloud.rounds:
        out = [f"{leaf.device} {leaf.fate}" for leaf in closed.sums.leaves if leaf.fate]
        out += [f"{name} {seat.fate}" for name, seat in closed.seats.items() if seat.fate]
        if out:
            raise Broken("nobody is left out without a cause", f"round {closed.number} lacks {', '.join(out)}")


def stale(witness: Witness) -> None:
    """A belated answer is what its home has said, to an earlier round's Ask, and counts what the policy of the run says."""
    policy, version = witness.world.plan.terms.get("offline"), 0
    for closed in witness.world.cloud.rounds:
        for late in closed.belated:
            where = f"the answer of {late.member} to round {late.round}, local round {late.local}, in round {closed.number}"
            behind = version - late.base + late.local
            if policy is None or late.round >= closed.number or late.local > policy.rounds or behind > policy.staleness:
                raise Broken("what is too late does not count", where, late.member, "cloud")
            if late.factor != max(1, builtins.round(1024 * (1 + behind) ** -policy.discount)):
                raise Broken("a belated answer counts less", f"{where}, counts {late.factor} of 1024", late.member, "cloud")
            if late.leaves != witness.said[late.member, late.ask]:
                raise Broken("a belated answer is what was said", f"{where}, holds {late.leaves}", late.member, "cloud")
        version += closed.learnt


def acknowledged(witness: Witness) -> None:
    """Every answer that was told ok is in a model, or in a record that says why not."""
    belated = {late.ask: late for record in witness.world.cloud.rounds for late in record.belated}
    for record in witness.world.cloud.rounds:
        leaves = {leaf.device: leaf.fate for leaf in record.sums.leaves}
        for home, devices in witness.world.plan.homes.items():
            above = ask_id(f"run1/{record.number}/train", home)  # an Ask may say something else, where it was damaged
            seat, told = record.seats.get(home), f"was told ok in round {record.number}"
            for number in range(1, LOCAL + 1):
                own = local_id(above, number)
                if (home, own) in witness.told and own not in belated:
                    raise Broken("ok is a promise", f"{home} {told} for a local round that no round holds", home, "cloud")
                for device in devices:
                    below = (device, ask_id(own.hex(), device))
                    if below in witness.told and own in belated and device not in belated[own].leaves:
                        raise Broken("ok is a promise", f"{device} {told}, which holds its home without it", device, home)
            if (home, above) in witness.told and above not in belated and (seat is None or seat.state != "taken"):
                fate = "has no seat for it" if seat is None else f"says {seat.fate}"
                raise Broken("ok is a promise", f"{home} {told}, but its record {fate}", home, "cloud")
            for device in devices:
                if (device, ask_id(above.hex(), device)) not in witness.told:
                    continue
                if above not in belated:
                    _promised(device, home, seat, leaves, told)
                elif device not in belated[above].leaves:
                    raise Broken("ok is a promise", f"{device} {told}, and its home counts without it", device, home)


def _promised(device: str, home: str, seat: Seat | None, leaves: dict[str, str], told: str) -> None:
    if seat is None:
        raise Broken("ok is a promise", f"{device} {told}, whose record has no seat for {home}", device, home)
    if seat.state == "taken" and leaves.get(device) != "":
        raise Broken(
            "ok is a promise", f"{device} {told}, but the model has {leaves.get(device, 'nothing of it')}", device, home
        )
    if seat.state != "taken" and not seat.fate:
        raise Broken("ok is a promise", f"{device} {told}; its record does not say what became of {home}", device, home)


def remembered(witness: Witness) -> None:
    """Every answer that was offered was told something, and nothing of what is over is left anywhere."""
    for name, ask in sorted(witness.offered):
        raise Broken("no answer goes without a word", f"{name} was never told about its answer to {ask.hex()[:8]}", name)
    for host in witness.world.hosts.values():
        ledger: Any = host.ledger
        if ledger.machines or ledger.kept:
            raise Broken("what is over is forgotten", f"{host.name} still has {ledger.machines} and {ledger.kept}", host.name)
        parts: Any = host.place.stores.parts  # type: ignore[attr-defined]
        if len(parts) > TRANSFERS:
            raise Broken("what is over is forgotten", f"{host.name} still has {len(parts)} transfers", host.name)
