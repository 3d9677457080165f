"""A scenario that was played, as predictions read what the cloud has recorded of it."""

from dataclasses import dataclass

from folkmoot.simulate.result.tables import Result
from folkmoot.simulate.scenario import crew, outcome
from folkmoot.simulate.scenario.centre import Centre, Clockwork
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.play import read
from folkmoot.simulate.tiers import tier
from folkmoot.wire import bundle
from folkmoot_cloud.predictions.measured import Device, Effort, Fleet, Past
from folkmoot_cloud.runner.facts import RoundClosed, RoundOpened
from folkmoot_cloud.runner.journal import fates_of


@dataclass(frozen=True)
class Played:
    """What came of a scenario: its tables, which know everything, and what the cloud knows."""

    result: Result
    rounds: list[Past]
    effort: Effort
    program: int

    def fleet(self, rounds: int) -> Fleet:
        """Gives the fleet with so many rounds behind it."""
        seconds = self.result.rounds[-1].closed_s
        return Fleet(
            devices=[Device(one.device, one.home, one.examples, 1 - one.away_s / seconds) for one in self.result.devices],
            homes={one.home: 1.0 for one in self.result.devices},
            kinds={},
            rounds=self.rounds[:rounds],
            complete=True,
            program=self.program,
        )


def play(scenario: Scenario, epochs: int, workers: int = 0) -> Played:
    """Plays a scenario whose run has a plan of so many epochs."""
    data = read(scenario.task)
    content, program = bundle.load(data)
    centre = Centre(scenario, data)
    crews = crew.hire(scenario, content.program, workers)
    clockwork = Clockwork(scenario, centre, crews)
    clockwork.run(lambda: centre.over)
    records = [each.close(clockwork.now) for each in crews]
    for each in crews:
        each.leave()
    result = outcome.result(scenario, tier("cloud").history(centre.rows, centre.messages), records, {})
    effort = Effort(epochs, 0, 0, program.manifest.batch)
    opened: dict[int, int] = {}
    rounds = []
    for row in centre.rows:
        match row.fact:
            case RoundOpened(number=number):
                opened[number] = row.at
            case RoundClosed(number=number) as closed:
                below = closed.sums.metrics
                up = sum(up for up, _ in closed.traffic.values()) + below.get("bytes_up", 0)
                down = sum(down for _, down in closed.traffic.values()) + below.get("bytes_down", 0)
                seconds = (row.at - opened[number]) / 1000
                deadline = float(scenario.run["deadline_seconds"])
                rounds.append(Past(deadline, seconds, effort, up, down, list(fates_of(closed).values())))
    return Played(result, rounds, effort, len(content.program))
