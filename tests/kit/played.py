"""A scenario that was played, as predictions read what the cloud has recorded of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from folkmoot.hop.events import Belated
from folkmoot.simulate.result.tables import Result
from folkmoot.simulate.scenario import crew, outcome
from folkmoot.simulate.scenario.centre import Centre
from folkmoot.simulate.scenario.clockwork import Clockwork
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.play import read
from folkmoot.simulate.tables import Row
from folkmoot.simulate.tiers import tier
from folkmoot.wire import bundle
from folkmoot_cloud.predictions.aftermath import Account, Late, settle
from folkmoot_cloud.predictions.measured import Device, Effort, Fleet, Past
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner.facts import AnswerTaken, RoundClosed, RoundOpened
from folkmoot_cloud.runner.journal import fates_of, jobs_of


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
    end = Clockwork(scenario, centre, crews).run()
    for each in crews:
        each.close(end)
    records = [each.record() for each in crews]
    for each in crews:
        each.leave()
    result = outcome.result(scenario, tier("cloud").history(centre.rows, centre.messages), records, {})
    effort = Effort(epochs, 0, 0, program.manifest.batch)
    return Played(result, _pasts(centre.rows, scenario.run, effort), effort, len(content.program))


def _pasts(rows: Sequence[Row], run: Mapping[str, Any], effort: Effort) -> list[Past]:
    """Gives the rounds as the cloud has recorded them."""
    opened: dict[int, int] = {}
    closed: dict[int, tuple[int, RoundClosed]] = {}
    late: dict[int, dict[str, Late]] = {}  # by the round that had asked
    jobs: dict[tuple[int, str], Fate] = {}
    for row in rows:
        match row.fact:
            case RoundOpened(number=number):
                opened[number] = row.at
            case AnswerTaken(belated=Belated() as one) as taken:
                late.setdefault(one.round, {})[one.member] = Late(taken.size, row.at / 1000)
            case RoundClosed(number=number) as fact:
                closed[number] = row.at, fact
                for one in fact.belated:
                    jobs |= {(one.round, job.device): job for job in jobs_of(one.member, fact.below[one.payload])}
    accounts = []
    for number, (at, fact) in closed.items():
        members = list(fates_of(fact).values())
        for place, member in enumerate(members):
            job = jobs.get((number, member.device))
            if job is not None:
                members[place] = replace(member, train_seconds=job.train_seconds, steps=job.steps)
        accounts.append(Account("", opened[number] / 1000, at / 1000, members, late.get(number, {})))
    became = settle(accounts) if run.get("buffer") else [account.members for account in accounts]
    rounds = []
    for account, members, (_, fact) in zip(accounts, became, closed.values(), strict=True):
        below = fact.sums.metrics
        up = sum(up for up, _ in fact.traffic.values()) + below.get("bytes_up", 0)
        down = sum(down for _, down in fact.traffic.values()) + below.get("bytes_down", 0)
        if run.get("buffer"):
            up += sum(one.size for one in account.late.values())
        rounds.append(Past(float(run["deadline_seconds"]), account.over - account.began, effort, up, down, members))
    return rounds
