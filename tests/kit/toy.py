"""The task of simulated federations, for tests of real ones."""

from typing import Any

from folkmoot.simulate.toy import CONTRACT, examples, payload, program, train
from folkmoot_cloud import simulated
from folkmoot_cloud.runner.campaign import Campaign

__all__ = ["CONTRACT", "campaign", "examples", "payload", "program", "train"]


def campaign(parameters: int = 50, rounds: int = 3, **fields: Any) -> Campaign:
    """Gives a run of the toy task that starts from zeros; `fields` are those of its Spec."""
    return simulated.campaign(parameters, rounds, **fields)
