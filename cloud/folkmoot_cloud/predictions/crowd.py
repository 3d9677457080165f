"""Who could be asked, by numbers: what rounds are drawn from, in flat arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from folkmoot.selector import Eligible
from folkmoot_cloud.predictions.measured import Fleet, Wish
from folkmoot_cloud.predictions.pace import Pace
from folkmoot_cloud.predictions.samples import Flags, Floats, Ints


@dataclass(frozen=True, slots=True)
class Crowd:
    """Devices and homes, each sorted by name; arrays are [devices] but for `homes_up`, which is [homes]."""

    devices: Sequence[str]
    homes: Sequence[str]
    able: Sequence[Eligible]  # the devices, as a selector sees them
    home: Ints  # number of each device's home
    up: Floats  # share of the time in which it can be asked
    homes_up: Floats
    admitted: Flags  # whether the cohort lets it be asked
    fixed: Floats  # seconds of a job beside its steps
    steps: Floats  # of a job


def crowd(fleet: Fleet, wish: Wish, paces: Pace) -> Crowd:
    """Gives those that a run could ask."""
    homes = sorted(fleet.homes)
    number = {name: at for at, name in enumerate(homes)}
    devices = sorted((one for one in fleet.devices if one.gateway in number), key=attrgetter("name"))
    able = [Eligible(one.name, one.gateway, one.examples) for one in devices]
    return Crowd(
        devices=[one.name for one in devices],
        homes=homes,
        able=able,
        home=np.asarray([number[one.gateway] for one in devices], np.int64),
        up=np.asarray([one.up for one in devices], np.float64),
        homes_up=np.asarray([fleet.homes[name] for name in homes], np.float64),
        admitted=np.asarray([wish.cohort.admits(one) for one in able], np.bool_),
        fixed=np.asarray([paces.overhead(one.name) for one in devices], np.float64),
        steps=np.asarray([wish.effort.of(one.examples) for one in devices], np.float64),
    )
