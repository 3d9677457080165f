"""What the API says about predictions."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from folkmoot_cloud.runs.schemas import TaskRef
from folkmoot_cloud.words import View

Figure = Annotated[float, AfterValidator(lambda value: round(value, 3))]
Share = Annotated[float, AfterValidator(lambda value: round(value, 4)), Field(ge=0, le=1)]


class SpreadView(View):
    """What is to be expected of a figure: in 8 of 10 cases it lies between `p10` and `p90`."""

    p10: Figure
    median: Figure
    p90: Figure


class TakesView(View):
    """What a round takes, or a whole run. Bytes are payloads of training rounds, as in the records of rounds."""

    seconds: SpreadView
    drop_outs: SpreadView = Field(
        description="Devices that are asked and whose updates are not in the model; of an asynchronous run: in no model, which "
        "whoever is at work counts among until it has answered."
    )
    bytes_up: SpreadView = Field(description="From homes to the cloud.")
    bytes_down: SpreadView
    home_bytes_up: SpreadView = Field(description="From devices to their gateways, in homes that answer in time.")
    home_bytes_down: SpreadView
    joules: SpreadView = Field(description="Of devices, beyond rest.")


class BecomesView(View):
    """What becomes of the devices that a round asks."""

    asked: SpreadView
    answered: SpreadView = Field(
        description="Their updates are in the new version; in an asynchronous run also of some whom an earlier round has asked."
    )
    late: SpreadView
    silent: SpreadView
    refused: SpreadView
    rejected: SpreadView


class SoonerView(View):
    """What rounds with a certain deadline would be."""

    deadline: Figure = Field(description="Seconds.")
    seconds: SpreadView
    answered: SpreadView
    short: Share = Field(description="Share of rounds that make no version.")


class BasisView(View):
    """What a prediction is made from."""

    rounds: int = Field(description="The newest ones of the same program that are looked at.")
    measurements: int = Field(description="Jobs of devices whose time is known.")
    own: int = Field(description="Devices that were measured themselves.")
    alike: int = Field(description="Devices of which only others with the same software, runtime and memory were.")
    others: int = Field(description="Devices that are taken to be like any other.")
    homes: int = Field(description="Homes that were measured.")
    homes_others: int = Field(description="Homes that are taken to be like the others.")


class PredictionView(View):
    """What a run is predicted to take."""

    task: TaskRef
    rounds: int = Field(description="Of the run.")
    round: TakesView
    run: TakesView
    devices: BecomesView = Field(description="In a round.")
    short: Share = Field(description="Share of rounds that make no version.")
    waiting: Share = Field(description="Share of times when too few devices are there to begin a round.")
    deadlines: list[SoonerView] = Field(description="Shorter ones, where they were tried, and last the run's own.")
    advice: str | None = Field(description="Whether a shorter deadline pays off; null: none was tried.")
    basis: BasisView
    watts: float = Field(description="That a device is taken to need beyond rest while it trains.")
    joules_per_mb: float = Field(description="That it is taken to need for what it sends and receives.")
    seed: int
    notes: list[str] = Field(description="What the figures do not know of, or take for granted.")


FIGURES = tuple(TakesView.model_fields)


class ComparedView(BaseModel):
    """One figure, predicted and measured."""

    scope: Literal["round", "run"] = Field(description="round: the median of the rounds that are over.")
    figure: str = Field(examples=["seconds"], description="A field of `round` or `run` of the prediction.")
    predicted: SpreadView
    measured: Figure
    error_percent: Figure | None = Field(
        description="How far the predicted median is off what was measured; null where nothing was to be measured."
    )
    within: bool = Field(description="Whether it lies between `p10` and `p90`.")


class ForeseenView(BaseModel):
    """What a run was predicted to take when it was created, and what it has taken."""

    predicted: PredictionView | None = Field(description="null: nothing had been measured of its task's program by then.")
    compared: list[ComparedView] = Field(
        description="Of rounds once one is over; of the run once it is finished, with as many rounds as were predicted."
    )
