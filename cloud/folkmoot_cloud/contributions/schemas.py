"""What the API says about contributions that are taken back."""

from datetime import datetime

from pydantic import BaseModel, Field

from folkmoot_cloud.words import View


class RetractionView(View):
    """That a device is to be out of a round."""

    run_id: str
    number: int = Field(description="The round. It does not close before the device is out of it.", examples=[3])
    requested_at: datetime
    done_at: datetime | None = Field(description="null: not yet.")


class RetractionsView(BaseModel):
    """What a device is taken out of."""

    device: str = Field(examples=["kitchen-1"])
    rounds: list[RetractionView]
