"""What the API says about runs."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from folkmoot_cloud.models.schemas import EvaluationView
from folkmoot_cloud.words import Count, Input, Line, Name, View, Word, example

Status = Literal["pending", "running", "paused", "finished"]
Desired = Literal["run", "pause", "stop"]
Outcome = Literal["completed", "failed", "stopped"]
MOST = 1 << 53  # beyond it a number in JSON is not what its sender wrote


def _option(value: Any) -> Any:
    """Gives the value back if it can be an option of a plug-in; which one it takes is the plug-in's to say."""
    if isinstance(value, str) and len(value) > 200:
        raise ValueError("must have at most 200 characters")
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be true, false, a number or text")
    if isinstance(value, int | float) and not abs(value) <= MOST:  # not: NaN is refused too
        raise ValueError("must be a number of at most 2^53")
    return value


Option = Annotated[Any, AfterValidator(_option), WithJsonSchema({"type": ["boolean", "number", "string"]})]
Number = Annotated[int, Field(ge=1, le=10_000_000, strict=True), Tag("number")]
Names = Annotated[list[Name], Field(min_length=1, max_length=10_000), Tag("names")]
Devices = Annotated[Number | Names, Discriminator(lambda value: "names" if isinstance(value, list) else "number")]


class Strategy(Input):
    """The learning algorithm."""

    model_config = example({"name": "fedprox", "options": {"mu": 0.01}})

    name: Word = "fedavg"
    options: dict[Word, Option] = Field(default={}, max_length=32)


class Cohort(Input):
    """Who takes part: everybody, unless this says less. `gateways` narrows the choice, the others say how many of it."""

    model_config = example({"devices": 50, "gateways": ["home-7", "home-9"]})

    devices: Devices | None = Field(default=None, description="How many a round, or which ones.")
    fraction: float | None = Field(default=None, gt=0, le=1, description="Share of the devices that are there.")
    gateways: list[Name] | None = Field(default=None, min_length=1, max_length=10_000, description="Only those below these.")

    @model_validator(mode="after")
    def _one_number(self) -> "Cohort":
        if self.devices is not None and self.fraction is not None:
            raise ValueError("devices and fraction exclude each other: both say how many take part, so give one of them")
        return self

    @property
    def size(self) -> int | None:
        """How many devices a round is to have; None where that depends on who is there."""
        return len(set(self.devices)) if isinstance(self.devices, list) else self.devices


class PlanChange(Input):
    """What members do locally, where it differs from the task's own plan."""

    model_config = example({"epochs": 5, "learning_rate": 0.1})

    epochs: Annotated[int, Field(ge=0, le=1000, strict=True)] | None = None
    steps: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] | None = Field(
        default=None, description="Instead of epochs; 0: as many as the epochs take."
    )
    learning_rate: float | None = Field(default=None, gt=0, le=100)
    max_examples: Count | None = Field(default=None, description="0: all.")
    seed: Count | None = None
    only: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(
        default=None, max_length=1024, description="Names of the tensors that move, such as a model's head; []: all."
    )


class Precision(Input):
    """How updates become integers, so that sums are exact. `total` × `bound` × 2^`scale` must stay within 2^53."""

    scale: int = Field(default=22, ge=0, le=52, strict=True, description="b: an update is rounded to multiples of 2^-b.")
    bound: float = Field(default=64.0, gt=0, le=1e9, description="Largest change of one weight that is taken.")
    cap: int = Field(default=10_000, ge=1, le=1 << 40, strict=True, description="Largest weight of one device.")
    total: int = Field(default=1 << 25, ge=1, le=1 << 53, strict=True, description="Largest sum of the weights of a round.")


class Offline(Input):
    """What happens to members that cannot be reached.

    An answer that comes when its round is over counts in a later one, if the model has not moved on too far: one that is s
    behind counts (1 + s)^-discount of what it would have. And while the cloud is away, a gateway may go on training its home
    by itself: each such local round is one more step behind.
    """

    model_config = example({"staleness": 4, "discount": 0.5, "rounds": 3, "hours": 12})

    staleness: int = Field(
        default=4, ge=0, le=1000, strict=True, description="Versions and local rounds that an answer may be behind."
    )
    discount: float = Field(default=0.5, ge=0, le=2, description="The exponent a of (1 + s)^-a; 0: it counts wholly.")
    rounds: int = Field(default=0, ge=0, le=31, strict=True, description="Local rounds that a gateway may run by itself.")
    hours: float = Field(
        default=24, ge=0, le=24 * 31, description="For how long after the deadline of its Ask it may begin one."
    )


class RunNew(Input):
    """A training job to start."""

    model_config = example(
        {
            "name": "first try",
            "task": "digits",
            "strategy": {"name": "fedavg"},
            "rounds": 10,
            "plan": {"epochs": 5},
            "min_answers": 8,
            "deadline_seconds": 120,
        }
    )

    name: Line = Field(default="", description="For people; the task's name where there is none.")
    task: Name = Field(description="Its id, or its name for the newest one.")
    strategy: Strategy = Strategy()
    cohort: Cohort = Cohort()
    rounds: int = Field(default=10, ge=1, le=100_000, strict=True)
    plan: PlanChange = PlanChange()
    min_answers: int = Field(
        default=1, ge=1, le=10_000_000, strict=True, description="Devices below which a round makes no new version."
    )
    deadline_seconds: float = Field(default=600, ge=0.1, le=7 * 86_400, description="After which a round waits for nobody.")
    over_selection: float = Field(default=1.0, ge=1, le=10, description="Asks so many times the devices that are wanted.")
    evaluate: bool = Field(default=True, strict=True, description="Whether devices evaluate each version on their hold-outs.")
    precision: Precision = Precision()
    offline: Offline | None = Field(
        default=None, description="What members may do that cannot be reached; null: what comes late does not count."
    )
    buffer: Annotated[int, Field(ge=1, le=10_000_000, strict=True)] | None = Field(
        default=None,
        description="Asynchronous (FedBuff): so many devices' answers make a version, whichever one they started from; a home "
        "at work goes on and is not asked again meanwhile, one that is free is asked for the newest. The cohort says how many "
        "are at work at a time; `offline` is needed. null: a round waits for those that it has asked.",
    )
    transform: Word | None = Field(
        default=None,
        description="How updates travel from devices to their gateways: with `int8`, in a quarter of the bytes, rounded at "
        "random. null: in float32.",
    )
    start_from: Name | None = Field(default=None, description="A model of the same task; null: what came with the task.")

    @model_validator(mode="after")
    def _asynchronous(self) -> "RunNew":
        if self.buffer is None:
            return self
        if self.offline is None:
            raise ValueError("buffer needs offline: it says how stale an answer may be, and what it counts then")
        if self.over_selection > 1:
            raise ValueError("buffer and over_selection exclude each other: nobody is asked in vain, so leave one of them out")
        if self.min_answers > self.buffer:
            raise ValueError(f"min_answers is {self.min_answers}, but a version is made of {self.buffer} (buffer): lower it")
        return self


class TaskRef(View):
    """Which task."""

    id: str
    name: str
    version: str


class RunView(View):
    """A training job: what was asked for, and how far it is."""

    id: str
    name: str
    task: TaskRef
    status: Status
    desired: Desired = Field(description="What operators want; the status follows.")
    outcome: Outcome | None = Field(description="Once it is finished.")
    reason: str = Field(description="Why it ended, or why it waits.")
    strategy: dict[str, Any]
    cohort: dict[str, Any]
    rounds: int = Field(description="How many it is to have.")
    done: int = Field(description="Number of the last round that is over.")
    plan: dict[str, Any]
    min_answers: int
    deadline_seconds: float
    over_selection: float
    evaluate: bool
    precision: dict[str, Any]
    offline: dict[str, Any] | None = Field(description="staleness, discount, rounds, and seconds; null: late is late.")
    buffer: int | None = Field(description="Devices whose answers make a version; null: rounds are synchronous.")
    transform: str | None = Field(description="How updates travel from devices to their gateways; null: in float32.")
    base_model: str = Field(description="The model that it started from.")
    model: str | None = Field(description="The newest model that it has learnt.")
    bytes_up: int = Field(description="Towards the cloud, payloads of all rounds.")
    bytes_down: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    before: EvaluationView | None = Field(default=None, description="How good the base model was.")
    after: EvaluationView | None = Field(default=None, description="How good the newest evaluated version is.")
