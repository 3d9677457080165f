"""What a home's part of a round takes beside the jobs of its devices: lines, brokers, and what else is in between."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from folkmoot_cloud.predictions.measured import Fleet, homes_of, waited
from folkmoot_cloud.predictions.pace import Pace
from folkmoot_cloud.predictions.patience import at_home
from folkmoot_cloud.predictions.samples import Measured, Spread, spread


@dataclass(frozen=True, slots=True)
class Way:
    """What homes take, by home."""

    seconds: Spread  # from the end of its round to its answer at the cloud, and the Ask's way there
    lines: Spread  # what answers of its devices take on top of that; of nobody: it is in `seconds`
    bytes_up: Mapping[str, float]  # from the home to the cloud, in a round, when it has the program
    bytes_down: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answered:
    """What homes took that have answered beside the jobs of their devices, in seconds, by home."""

    by_deadline: dict[str, list[float]]  # they waited for a device to the end: no line of a device is in it
    otherwise: dict[str, list[float]]

    @property
    def usual(self) -> float:
        """What is usual where a home waits for all; 0 where nobody knows."""
        found = [seconds for each in self.otherwise.values() for seconds in each]
        return median(found) if found else 0.0


def answered(fleet: Fleet) -> Answered:
    """Gives what homes took that have answered, as far as it is known when they stopped waiting for their devices.

    A home's first round, in which it has fetched the program, counts only where there is no other.
    """
    found, first = Answered({}, {}), dict[str, float]()
    seen: set[str] = set()
    for past in fleet.rounds:
        for home, devices in homes_of(past.members):
            fetches = fleet.complete and home.gateway not in seen
            seen.add(home.gateway)
            if home.fate != "answered" or home.seconds is None:
                continue
            reasons = {one.reason for one in devices if one.fate in ("late", "silent")}
            jobs = [one.train_seconds for one in devices if one.fate == "answered"]
            if "deadline" in reasons:
                over = home.seconds - at_home(past.deadline)
                found.by_deadline.setdefault(home.gateway, []).append(max(0.0, over))
            elif not reasons - {"goal"} and None not in jobs:
                over = max(0.0, home.seconds - max((each for each in jobs if each is not None), default=0.0))
                if fetches:
                    first[home.gateway] = over
                else:
                    found.otherwise.setdefault(home.gateway, []).append(over)
    for name, over in first.items():
        found.otherwise.setdefault(name, [over])
    return found


def way(fleet: Fleet, paces: Pace, known: Answered) -> Way:
    """Gives what homes take: those that have answered, as is `known`, and those that were late."""
    ways, lines = _split(known)
    examples = {device.name: device.examples for device in fleet.devices}
    sizes: dict[str, list[tuple[int, int]]] = {}
    seen: set[str] = set()
    for past in fleet.rounds:
        for home, devices in homes_of(past.members):
            fetched = fleet.program if fleet.complete and home.gateway not in seen else 0
            seen.add(home.gateway)
            if home.fate == "answered":
                sizes.setdefault(home.gateway, []).append((home.bytes_up, max(0, home.bytes_down - fetched)))
            elif home.fate == "late":
                jobs = (paces.usual(one.device, past.effort.of(examples.get(one.device, 0))) for one in devices)
                busy = min(max(jobs, default=0.0), at_home(past.deadline))
                ways.setdefault(home.gateway, Measured()).beyond.append(max(0.0, waited(home, past) - busy))
    return Way(
        seconds=spread(ways, {}),
        lines=spread(lines, {}),
        # Medians: what had to be sent twice once is no habit.
        bytes_up={name: median(up for up, _ in each) for name, each in sizes.items()},
        bytes_down={name: median(down for _, down in each) for name, each in sizes.items()},
    )


def _split(known: Answered) -> tuple[dict[str, Measured], dict[str, Measured]]:
    """Tells ways to the cloud and lines of devices apart, as far as rounds that ended by the deadline tell."""
    ways = {name: Measured(list(each)) for name, each in known.by_deadline.items()}
    lines: dict[str, Measured] = {}
    if not ways:
        return {name: Measured(list(each)) for name, each in known.otherwise.items()}, lines
    usual = median(seconds for each in known.by_deadline.values() for seconds in each)
    for name, each in known.otherwise.items():
        own = known.by_deadline.get(name)
        mine = usual if own is None else median(own)
        if own is None:
            ways[name] = Measured([min(seconds, mine) for seconds in each])
        lines[name] = Measured([max(0.0, seconds - mine) for seconds in each])
    return ways, lines


def home_lines(fleet: Fleet) -> tuple[float, float]:
    """Gives the bytes between a device and its gateway in a round: up for each that answers, down for each that is asked.

    The record has those of homes that have answered. What brought the program is taken off, where all rounds are known.
    """
    up = down = 0.0
    heard = asked = 0
    seen: set[str] = set()
    for past in fleet.rounds:
        up += past.bytes_up - sum(one.bytes_up for one in past.members if not one.device)
        down += past.bytes_down - sum(one.bytes_down for one in past.members if not one.device)
        for home, devices in homes_of(past.members):
            if home.fate == "answered":
                asked += len(devices)
                heard += sum(one.fate == "answered" for one in devices)
                fresh = {one.device for one in devices} - seen if fleet.complete else ()
                down -= fleet.program * len(fresh)
                seen.update(fresh)
    return max(0.0, up) / max(1, heard), max(0.0, down) / max(1, asked)
