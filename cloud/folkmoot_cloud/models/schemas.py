"""What the API says about models."""

from datetime import datetime

from pydantic import Field

from folkmoot_cloud.words import View


class EvaluationView(View):
    """How good a version was on hold-outs that never left the devices."""

    loss: float | None = Field(description="Mean over all examples; null where the task has none.")
    accuracy: float | None = Field(description="Correct ones among all examples; null for regression.")
    examples: int
    members: int = Field(description="Devices that it was evaluated on.")


class ModelView(View):
    """A version of a task's weights. It never changes."""

    id: str
    task_id: str
    run_id: str | None = Field(description="The run that learnt it; null for what came with the task.")
    version: int = Field(description="Within its run; the model that a run starts from is its version 0.")
    parent: str | None = Field(description="The model that it was learnt from.")
    model_sha256: str = Field(description="sha256 of the block of weights: little-endian, tensors sorted by name.")
    size: int = Field(description="Bytes of that block.")
    state: str | None = Field(description="sha256 of the server optimiser's state, a blob; null for none.")
    promoted: bool = Field(description="Whether it is the one of its task that is meant to be used.")
    created_at: datetime
    evaluation: EvaluationView | None = None
