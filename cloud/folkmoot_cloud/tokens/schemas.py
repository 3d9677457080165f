"""What the API says about tokens."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from folkmoot_cloud.words import Input, Line, View, example

Scope = Literal["read", "tasks:write", "runs:write", "models:write", "admin"]


class TokenNew(Input):
    """A token to make."""

    model_config = example({"name": "dashboard", "scopes": ["read"]})

    name: Line = Field(min_length=1, description="For people: what it is for.")
    scopes: list[Scope] = Field(min_length=1, max_length=5, description="What it allows; `admin` allows everything.")


class TokenView(View):
    """A token, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    revoked_at: datetime | None


class TokenMade(TokenView):
    """A new token, with its secret: the only time that it is shown."""

    token: str = Field(examples=["fm_ageiy5yvsz3i5h4a2bqw6yhfwi_Yk3…"], description="Send it as `Authorization: Bearer …`.")
