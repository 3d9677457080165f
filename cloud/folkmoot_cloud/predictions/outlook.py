"""What there is to say of a run that is going to be: figures, each as it usually is and in 8 of 10 cases."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from folkmoot_cloud.predictions.measured import Fleet
from folkmoot_cloud.predictions.pace import Pace
from folkmoot_cloud.predictions.samples import Floats, Ints
from folkmoot_cloud.predictions.way import Way


@dataclass(frozen=True, slots=True)
class Spread:
    """What is to be expected of a figure."""

    p10: float
    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Takes:
    """What a round takes, or a whole run. Bytes are payloads of training rounds, as in the record."""

    seconds: Spread
    drop_outs: Spread  # devices that are asked and whose updates are not in the model
    bytes_up: Spread  # from homes to the cloud
    bytes_down: Spread
    home_bytes_up: Spread  # from devices to their gateways
    home_bytes_down: Spread
    joules: Spread  # of devices, beyond rest


@dataclass(frozen=True, slots=True)
class Becomes:
    """What becomes of the devices that a round asks."""

    asked: Spread
    answered: Spread
    late: Spread
    silent: Spread
    refused: Spread
    rejected: Spread


@dataclass(frozen=True, slots=True)
class Sooner:
    """What rounds with a certain deadline would be."""

    deadline: float
    seconds: Spread
    answered: Spread
    short: float  # share of rounds that make no version


@dataclass(frozen=True, slots=True)
class Basis:
    """What a forecast is made from."""

    rounds: int
    measurements: int  # jobs whose time is known
    own: int  # devices that have been measured themselves
    alike: int  # devices of which only others of their kind have been
    others: int  # devices of whose kind none has been
    homes: int  # homes that have been measured
    homes_others: int
    split: bool  # whether jobs could be told apart into steps and the rest


@dataclass(frozen=True, slots=True)
class Forecast:
    """A whole prediction."""

    round: Takes
    run: Takes
    devices: Becomes
    short: float  # share of rounds that make no version
    waiting: float  # share of times when too few devices are there to begin a round
    deadlines: Sequence[Sooner]  # the wished one last
    basis: Basis


def spread(values: Floats | Ints) -> Spread:
    """Gives median, 10th and 90th percentile."""
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return Spread(float(low), float(middle), float(high))


def basis(fleet: Fleet, devices: Sequence[str], homes: Sequence[str], paces: Pace, ways: Way) -> Basis:
    """Gives what a forecast of a run is made from that may ask these devices, by way of these homes."""
    kinds = {fleet.kinds.get(name) for name in paces.rates.of}
    unknown = [name for name in devices if name not in paces.rates.of]
    alike = sum(fleet.kinds.get(name) in kinds for name in unknown)
    measured = sum(name in ways.seconds.of for name in homes)
    return Basis(
        rounds=len(fleet.rounds),
        measurements=paces.measurements,
        own=len(devices) - len(unknown),
        alike=alike,
        others=len(unknown) - alike,
        homes=measured,
        homes_others=len(homes) - measured,
        split=paces.split,
    )


def first_downloads(program: int, names: Sequence[str], known: Container[str], often: Floats, rounds: int) -> float:
    """Gives the bytes in which those fetch a program who have never had it; `often`: how often a round asks each of them."""
    ever = 1 - (1 - np.minimum(often, 1.0)) ** rounds
    return program * float(sum(one for one, name in zip(ever, names, strict=True) if name not in known))
