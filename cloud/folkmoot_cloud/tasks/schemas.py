"""What the API says about tasks."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from folkmoot_cloud.words import View


class TaskView(View):
    """A task: what is learnt, from what kind of data, by which program."""

    id: str
    name: str = Field(examples=["digits"], description="Wherever a task is asked for, a name stands for its newest task.")
    version: str = Field(examples=["1"])
    title: str
    digest: str = Field(description="sha256 of the bundle.")
    program: str = Field(description="sha256 of the program that devices train: a blob.")
    program_size: int = Field(description="Bytes.")
    weights: str = Field(description="sha256 of the initial weights: a blob.")
    weights_size: int = Field(description="Bytes.")
    parameters: int
    contract: str = Field(examples=["digits"], description="Name of the data contract that examples must meet.")
    inference: dict[str, str] = Field(description="Inference programs by kind: sha256 of each, a blob.")
    created_at: datetime


class TensorView(BaseModel):
    """One tensor of the weights."""

    model_config = ConfigDict(extra="allow")

    name: str
    shape: list[int]
    dtype: str = "float32"
    role: str = "trained"
    group: str = "main"


class LayoutView(BaseModel):
    """The tensors, in the order in which they lie in every block of weights: sorted by name, little-endian, no gaps."""

    model_config = ConfigDict(extra="allow")

    tensors: list[TensorView]


class ManifestView(BaseModel):
    """Everything about a program that is not in its .tflite (folkmoot.wire.bundle.Manifest)."""

    model_config = ConfigDict(extra="allow")

    task: str
    version: str
    title: str = ""
    layout: LayoutView
    contract: dict[str, Any]
    batch: int
    plan: dict[str, Any] = Field(description="How members train unless a run says otherwise.")
    metrics: list[str]
    parameters: int
