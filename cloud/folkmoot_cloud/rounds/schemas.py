"""What the API says about rounds."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from folkmoot_cloud.models.schemas import EvaluationView
from folkmoot_cloud.rounds.fates import Word
from folkmoot_cloud.words import View


class Tally(BaseModel):
    """How many members met which fate."""

    asked: int = Field(default=0, description="All of them.")
    waiting: int = Field(default=0, description="Have been asked, and the round still waits for them.")
    answered: int = Field(default=0, description="Their updates are in the new version.")
    refused: int = Field(default=0, description="Said that they would not.")
    rejected: int = Field(default=0, description="Their answers did not pass the screens.")
    retracted: int = Field(default=0, description="Were taken out: the round is as if they had never been in it.")
    late: int = Field(default=0, description="Had begun, and the round was over first.")
    silent: int = Field(default=0, description="Were never heard of.")


class BelatedView(BaseModel):
    """An answer to the Ask of an earlier round that counts in this one."""

    gateway: str
    asked: int = Field(description="Number of the round that had asked for it.")
    local: int = Field(description="Number of the gateway's local round that it is of; 0: it answers the Ask itself.")
    factor: float = Field(description="What it counts, of 1. 0: a device in it was taken out of this round.", examples=[0.5])
    devices: int = Field(description="Devices whose updates are in it.")


class RoundView(BaseModel):
    """One cut of a new model version."""

    run_id: str
    number: int
    status: Literal["open", "closed"]
    outcome: Literal["complete", "short", "stopped"] | None = Field(
        description="complete: a new version; short: too few answers, so none; stopped: called off."
    )
    reason: str = Field(description="What closed it: goal, all, deadline, or why it was stopped.")
    base_version: int = Field(description="The version that members started from.")
    model: str | None = Field(description="The version that it made.")
    gateways: Tally
    devices: Tally
    belated: list[BelatedView] = Field(description="Answers that came too late for the round that had asked, and count here.")
    bytes_up: int = Field(description="Payloads towards the cloud.")
    bytes_down: int
    seconds: float | None = Field(description="From its beginning to its end.")
    started_at: datetime
    closed_at: datetime | None
    evaluation: EvaluationView | None = Field(
        default=None, description="How good its version is. It is known when the members of the next round have evaluated it."
    )


class MemberView(View):
    """What became of a gateway, or of a device."""

    gateway: str
    device: str | None = Field(description="null: it is about the gateway itself.")
    fate: Word = Field(description="`asked`: the round still waits for it.")
    reason: str = Field(examples=["non_finite"], description="Why, in a word of the protocol.")
    bytes_up: int
    bytes_down: int
    seconds: float | None = Field(description="From asked to answered.")
    train_seconds: float | None = Field(
        description="Of a device's job, as it says; also where its answer counts in a later round."
    )
    steps: int | None = Field(description="Of training in that job.")
