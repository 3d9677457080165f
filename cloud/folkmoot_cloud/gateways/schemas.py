"""What the API says about gateways."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from folkmoot_cloud.words import View

State = Literal["up", "sleeping", "away", "gone"]


class GatewayView(View):
    """A home."""

    id: str
    state: State = Field(description="away: its connection is lost; gone: it said goodbye.")
    software: str
    runtime: str
    memory: int = Field(description="Bytes of RAM.")
    features: list[str] = Field(description="Parts of the protocol that it knows.")
    max_packet: int = Field(description="Bytes of the largest message that it takes.")
    ready: bool = Field(description="Whether it takes part in rounds.")
    why_not: str
    first_seen: datetime
    last_seen: datetime
    devices: dict[str, int] = Field(default={}, examples=[{"up": 4, "away": 1}], description="Devices below it, by state.")
