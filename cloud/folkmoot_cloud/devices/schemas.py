"""What the API says about devices."""

from datetime import datetime

from pydantic import Field

from folkmoot_cloud.gateways.schemas import State
from folkmoot_cloud.words import View


class DeviceView(View):
    """A device, as its gateway's newest hello tells."""

    id: str
    gateway: str
    state: State = Field(description="away: its connection is lost; gone: it said goodbye, or its gateway lists it no more.")
    examples: int = Field(description="How many it can train on.")
    software: str
    runtime: str = Field(examples=["tflite-runtime 2.14.0"])
    memory: int = Field(description="Bytes of RAM.")
    data: str = Field(description="Name of the data contract that its examples meet.")
    why_not: str = Field(examples=["no room on the disk"], description="Why it takes no part now, though it is up; or empty.")
    first_seen: datetime
    last_seen: datetime
