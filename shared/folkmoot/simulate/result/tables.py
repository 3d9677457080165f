"""The records of a simulated run: rounds, the devices in each of them, and every device over the whole run.

Seconds are of the simulated clock, which starts at 0; bytes are those of messages on the wire, up towards the cloud and down
from it; joules are what devices used. Whole numbers are below 2^63.
"""

from typing import get_type_hints

import msgspec

Scalar = str | int | float | bool | None
# What a column holds: str, int, float, or float | None, which are empty where nothing was measured.
Kind = object


class Round(msgspec.Struct, frozen=True):
    """One round of the cloud, with what all of its devices and gateways took."""

    number: int
    phase: str  # what its devices did: "train"
    opened_s: float
    closed_s: float
    outcome: str  # complete, short, stopped (folkmoot.hop.effects.Closed)
    reason: str  # a word of the protocol (folkmoot.wire.reasons)
    asked: int  # devices
    answered: int  # devices
    merged: int  # devices whose updates are in the model, those to earlier rounds included
    bytes_up_home: int  # from devices to gateways
    bytes_down_home: int
    bytes_up_between: int  # from gateways to the regional gateways above them
    bytes_down_between: int
    bytes_up_cloud: int  # from gateways to the cloud
    bytes_down_cloud: int
    messages: int  # on every hop
    rows: int  # that the round is in the cloud's database: of itself, its members, their answers and its model
    joules: float
    accuracy: float | None  # of the model after the round, from 0 to 1
    loss: float | None
    examples: int  # that merged devices trained on

    @property
    def bytes(self) -> int:
        """Bytes on every hop, both ways."""
        between = self.bytes_up_between + self.bytes_down_between
        return self.bytes_up_home + self.bytes_down_home + between + self.bytes_up_cloud + self.bytes_down_cloud


class Member(msgspec.Struct, frozen=True):
    """One device in one round."""

    round: int
    device: str
    home: str
    kind: str
    fate: str  # why its update is in no model, as the cloud's record says it, "late:deadline"; "": it is in one
    asked_s: float | None
    started_s: float | None  # began to train
    trained_s: float | None
    answered_s: float | None
    bytes_up: int
    bytes_down: int
    joules: float
    examples: int
    merged_in: int  # the round whose model its update is in: this one, or a later one; 0: none


class Device(msgspec.Struct, frozen=True):
    """One device over the whole run."""

    device: str
    home: str
    kind: str
    examples: int  # that it holds
    asked: int  # rounds
    merged: int  # rounds
    train_s: float
    joules: float
    bytes_up: int
    bytes_down: int
    away_s: float  # without a connection
    reboots: int
    off_s: float  # with an empty battery
    battery_j: float | None  # left in its battery at the end; empty: it has none


class Result(msgspec.Struct, frozen=True):
    """A run: what was simulated, and what came of it."""

    name: str  # of the scenario
    seed: int
    facts: dict[str, Scalar]  # of the engine: devices, homes, workers, wall seconds, events; floats are finite
    rounds: list[Round]
    members: list[Member]
    devices: list[Device]


Row = Round | Member | Device
TABLES: dict[str, type[Row]] = {"rounds": Round, "members": Member, "devices": Device}


def columns(row: type[Row]) -> dict[str, Kind]:
    """Gives the columns of a table in order, each with what it holds."""
    return dict(get_type_hints(row))
