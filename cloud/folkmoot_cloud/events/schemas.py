"""What the API says about events."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

# What happens, in the order of a task's life. The runner tells the second line and what is learnt of the fleet.
Kind = Literal[
    "task.created",
    "run.created",
    "run.changed",
    "run.started",
    "run.paused",
    "run.resumed",
    "run.finished",
    "round.opened",
    "round.answered",
    "round.retracted",
    "round.belated",
    "round.refused",
    "round.closed",
    "model.created",
    "model.evaluated",
    "model.promoted",
    "gateway.changed",
]


class EventView(BaseModel):
    """The data of one server-sent event; its `id` and `event` are `sequence` and `kind`."""

    sequence: int = Field(examples=[42], description="Send the last one that you saw as Last-Event-ID to go on behind it.")
    kind: Kind
    at: datetime
    run: str | None = Field(description="The run that it is about, if it is about one.")
    content: dict[str, Any] = Field(examples=[{"round": 3, "accuracy": 0.93}])
