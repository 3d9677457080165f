"""The records of a recording: how a life of a node begins, and every step of it.

Heads are MessagePack of typed structures, made and read by msgspec: that costs microseconds, where the CBOR of the wire
(folkmoot.wire.codec) costs ten times as much, for what only we read. Messages and other large bytes are attached as they are.
"""

from typing import Any

import msgspec


class Message(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """A message has come; its bytes are attached."""

    source: str
    topic: str
    retained: bool


class Standing(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """A link has come or gone."""

    source: str
    up: bool
    resumed: bool = False
    window: int = 0
    max_packet: int = 0


class Other(msgspec.Struct, frozen=True, array_like=True, tag="o"):
    """Something that only this tier knows has come."""

    source: str
    word: str
    content: bytes


Input = Message | Standing | Other
Ref = int | bytes
"""Some content: its number among those that are attached to the record, or the sha256 of one that was there before."""


class Call(msgspec.Struct, frozen=True, array_like=True):
    """What the node asked of its disk, and what it was told."""

    name: str
    key: bytes
    value: Any


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """A message about an Ask has left: its bytes count in the answer's metrics."""

    member: str
    ask: bytes
    size: int


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """A round is over."""

    run: str
    number: int
    local: int  # number of the local round after it; 0: it is none
    phase: str
    key: str  # of the machine
    outcome: str  # answered (a gateway), complete, short, stopped, called off
    reason: str
    answers: int  # that are in the sums
    sha256: bytes = b""  # of the partial that a gateway answers with, of the model that a cloud has then


class Early(msgspec.Struct, frozen=True, array_like=True):
    """Something that came before a part begins and still holds: a link that stands, what the upper end says of itself."""

    now: int
    input: Input
    message: bytes
    calls: list[Call]


class Begin(msgspec.Struct, frozen=True, array_like=True, tag="begin"):
    """A life begins; or a part begins in the middle of one, and this is what a reader must know who has nothing before it."""

    tier: str
    name: str
    life: bool
    now: int  # ms of the timeline
    wall: int  # ms since 1970, as this machine believes
    software: str
    frame: bytes  # how the node is made
    state: bytes  # what it starts from
    calls: list[Call]
    early: list[Early]
    contents: list[int]  # bytes of each that is attached


class Step(msgspec.Struct, frozen=True, array_like=True, tag="step"):
    """The node has taken all that had come; written before any of it is stored."""

    now: int
    inputs: list[Input]
    sent: list[Sent]  # since the step before
    calls: list[Call]
    shape: list[int]  # of what came of it: sends, journal, keeps, faults, hop by hop
    outcomes: list[Outcome]
    messages: list[int]  # bytes of each that is attached, the messages before the contents
    contents: list[int]


class Join(msgspec.Struct, frozen=True, array_like=True, tag="join"):
    """For a reader who starts with this part: something that the node has had for longer, where it can be taken up."""

    name: str
    now: int
    input: Other
    contents: list[int]


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """The life has ended in order."""

    stored: bool  # its last step


Entry = Begin | Step | Join | End

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Entry).decode
