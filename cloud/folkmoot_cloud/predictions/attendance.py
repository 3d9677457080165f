"""Who is there, in many runs at once, while time passes.

The record has in which share of the time somebody is there, and not for how long at a time. Who is away is taken to be so for
about as long as an answer takes: were it drawn anew for each round, then in short ones nobody would be missed for long.
"""

import numpy as np

from folkmoot_cloud.predictions.crowd import Crowd
from folkmoot_cloud.predictions.samples import Flags, Floats

TRIES = 100  # after which a run is one that never finds its devices


class Attendance:
    """Devices that could be asked, and homes by way of which they are."""

    def __init__(self, crowd: Crowd, runs: int, rng: np.random.Generator) -> None:
        self.waited = 0  # rounds that could not begin
        self.stuck = np.zeros(runs, np.bool_)  # runs that have waited for ever
        self._crowd, self._rng = crowd, rng
        self._devices = np.zeros((runs, len(crowd.devices)), np.bool_)
        self._homes = np.zeros((runs, len(crowd.homes)), np.bool_)

    def come(self, minimum: int, forgotten: Floats) -> Flags:
        """Gives whom each run may ask, [runs, devices], at a time when so much of who was there is forgotten, [runs].

        Where there are fewer than `minimum`, the run waits until others are there.
        """
        runs = np.flatnonzero(~self.stuck)
        chance = forgotten[runs]
        for _ in range(TRIES):
            self._draw(runs, chance)
            runs = runs[self._asked()[runs].sum(1) < minimum]
            if not len(runs):
                break
            self.waited += len(runs)
            chance = np.ones(len(runs))
        self.stuck[runs] = True
        return self._asked()

    def _draw(self, runs: np.typing.NDArray[np.intp], chance: Floats) -> None:
        for state, up in ((self._devices, self._crowd.up), (self._homes, self._crowd.homes_up)):
            anew = self._rng.random((len(runs), len(up))) < chance[:, None]
            run, one = np.nonzero(anew)
            state[runs[run], one] = self._rng.random(len(run)) < up[one]

    def _asked(self) -> Flags:
        return self._devices & self._homes[:, self._crowd.home] & self._crowd.admitted
