"""What devices and homes do in runs that go on side by side: each run is of a world, in which everybody stays what it is."""

from dataclasses import dataclass

import numpy as np

from folkmoot_cloud.predictions import habits
from folkmoot_cloud.predictions.crowd import Crowd
from folkmoot_cloud.predictions.draws import WORLDS, Members, chances, done
from folkmoot_cloud.predictions.measured import Fleet
from folkmoot_cloud.predictions.pace import Pace
from folkmoot_cloud.predictions.samples import Floats, Ints
from folkmoot_cloud.predictions.way import Way


@dataclass(frozen=True, slots=True)
class Dealt:
    """What those do who are asked; arrays are [devices] or [homes] of those, and mean what they do in Draws."""

    did: Ints
    job: Floats
    home_did: Ints
    way: Floats
    line: Floats


class Worlds:
    """Deals out what somebody does, as often as it is asked."""

    def __init__(self, fleet: Fleet, crowd: Crowd, paces: Pace, ways: Way, rng: np.random.Generator) -> None:
        """Draws whom each one is like in each world, and how likely it does what there."""
        self._crowd, self._rng = crowd, rng
        devices, homes = (np.tile(np.arange(len(names)), WORLDS) for names in (crowd.devices, crowd.homes))
        self._rates = Members(crowd.devices, paces.rates, fleet.kinds)
        self._ways, self._lines = Members(crowd.homes, ways.seconds, {}), Members(crowd.homes, ways.lines, {})
        # Everybody in the first world, then everybody in the second one, ...
        self._like = self._rates.like(devices, rng)
        self._way_like, self._line_like = self._ways.like(homes, rng), self._lines.like(homes, rng)
        self._chances = chances(habits.of_devices(fleet, crowd.devices), devices, rng)
        self._home_chances = chances(habits.of_homes(fleet, crowd.homes), homes, rng)

    def deal(self, device: Ints, world: Ints, home: Ints, home_world: Ints) -> Dealt:
        """Gives what these devices and homes do, each in its world."""
        own, home_own = world * len(self._crowd.devices) + device, home_world * len(self._crowd.homes) + home
        rates = self._rates.values(self._like[own], self._rng)
        return Dealt(
            did=done(self._chances[own], self._rng),
            job=self._crowd.fixed[device] + self._crowd.steps[device] * rates,
            home_did=np.minimum(done(self._home_chances[home_own], self._rng), habits.REFUSES),
            way=self._ways.values(self._way_like[home_own], self._rng),
            line=self._lines.values(self._line_like[home_own], self._rng),
        )
