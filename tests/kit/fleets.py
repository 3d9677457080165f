"""Fleets whose rounds are made up: who takes how long is known, and so is what is right to be predicted of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from folkmoot_cloud.predictions.measured import Device, Effort, Fleet, Past, Wish
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner.campaign import Cohort

PROGRAM = 30_000  # bytes
UP, DOWN = 21_000, 23_000  # bytes between a home and the cloud, in a round
HOME_UP, HOME_DOWN = 20_500, 20_800  # bytes between a device and its gateway
BATCH = 8

Job = Callable[[str], float]
"""Gives the seconds of one job of a device."""


@dataclass(frozen=True)
class Town:
    """Homes with devices, all of them always there."""

    homes: Mapping[str, Sequence[str]]
    ways: Mapping[str, float]  # seconds of a home's answer beside its jobs
    examples: int = 40

    @property
    def devices(self) -> list[str]:
        """The devices of all homes."""
        return [device for below in self.homes.values() for device in below]

    def effort(self, epochs: int = 1) -> Effort:
        """Gives what a device has to do."""
        return Effort(epochs, 0, 0, BATCH)

    def past(self, job: Job, epochs: int = 1, deadline: float = 600.0, silent: Sequence[str] = ()) -> Past:
        """Gives a round that asks everybody and waits for all; `silent` ones have gone, and nobody waits for them."""
        members: list[Fate] = []
        ends = []
        steps = self.effort(epochs).of(self.examples)
        for home, below in self.homes.items():
            jobs = {device: job(device) for device in below if device not in silent}
            ends.append(max(jobs.values(), default=0.0) + self.ways[home])
            members.append(Fate(home, "", "answered", "", UP, DOWN, ends[-1]))
            members += [
                Fate(home, device, "answered", train_seconds=jobs[device], steps=steps)
                if device in jobs
                else Fate(home, device, "silent", "goal")
                for device in below
            ]
        answered = len(self.devices) - len(silent)
        up, down = UP * len(self.homes) + HOME_UP * answered, DOWN * len(self.homes) + HOME_DOWN * len(self.devices)
        return Past(deadline, max(ends), self.effort(epochs), up, down, members)

    def fleet(self, *rounds: Past) -> Fleet:
        """Gives the fleet with these rounds behind it."""
        return Fleet(
            devices=[Device(device, home, self.examples, 1.0) for home, below in self.homes.items() for device in below],
            homes=dict.fromkeys(self.homes, 1.0),
            kinds=dict.fromkeys(self.devices, ("folkmoot 1", "tflite 2.14", 1 << 29)),
            rounds=rounds,
            complete=False,
            program=PROGRAM,
        )

    def wish(
        self,
        rounds: int = 10,
        epochs: int = 1,
        cohort: Cohort = Cohort(),  # noqa: B008  frozen
        minimum: int = 1,
        deadline: float = 600.0,
        over_selection: float = 1.0,
        evaluate: bool = False,
        buffer: int = 0,
        staleness: int = 0,
    ) -> Wish:
        """Gives a run."""
        return Wish(rounds, self.effort(epochs), cohort, minimum, deadline, over_selection, 3355, evaluate, buffer, staleness)
