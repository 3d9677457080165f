"""Every message of the protocol, as values. docs/protocol.md and docs/protocol.cddl say the same for other languages.

One hop is an upper end that asks and a lower end that answers; device to gateway and gateway to cloud are the same hop.
The ask id and the remaining time stand in the envelope (folkmoot.wire.codec), not in the bodies.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from folkmoot.errors import PeerFault
from folkmoot.ids import NAME

BLOB = 256 * 1024 * 1024  # bytes: more does not fit the memory of any device that we aim at

Name = Annotated[str, Meta(pattern=NAME)]
Word = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]  # plug-ins, phases, reasons, metrics
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]  # sha256
AskId = Annotated[bytes, Meta(min_length=16, max_length=16)]
Count = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
Size = Annotated[int, Meta(ge=0, le=BLOB)]  # bytes of a blob
Note = Annotated[bytes, Meta(max_length=4096)]  # opaque to every gateway on the way
Local = Annotated[int, Meta(ge=0, le=31)]  # local rounds: with a discount of up to 2, a 1,024th is left of what is 31 behind
Text = Annotated[str, Meta(max_length=500)]
TensorName = Annotated[str, Meta(min_length=1, max_length=200)]
Scalar = bool | int | float | str


def _digest_or_nothing(value: bytes, what: str) -> None:
    """Raises PeerFault("malformed") for bytes that are neither a digest nor none at all."""
    if len(value) not in (0, 32):
        raise PeerFault("malformed", f"a digest of {len(value)} bytes as {what}")


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a member's training does locally: E epochs or a number of steps at one learning rate."""

    epochs: Annotated[int, Meta(ge=0, le=1000)] = 1
    steps: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # 0: as many as the epochs take; kappa1 for edge rounds
    learning_rate: Annotated[float, Meta(gt=0, le=100)] = 0.1
    proximal: Annotated[float, Meta(ge=0, le=1000)] = 0.0  # FedProx's mu
    max_examples: Count = 0  # 0: all
    seed: Count = 0
    only: Annotated[tuple[TensorName, ...], Meta(max_length=1024)] = ()  # tensors that move: the head of a model; (): all


class Invited(msgspec.Struct, frozen=True, array_like=True):
    """A leaf that a phase is meant for, with what is for it alone."""

    device: Name
    note: Note = b""


class Offline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a member that cannot be reached may do, and what its answer counts when the round is over without it."""

    # Versions and local rounds that an answer may be behind; one more is late. Asynchronous runs have many in one job.
    staleness: Annotated[int, Meta(ge=0, le=1000)] = 0
    discount: Annotated[float, Meta(ge=0, le=2)] = 0.5  # a: an answer that is s behind counts (1 + s)^-a
    rounds: Local = 0  # local rounds that a gateway may run by itself
    seconds: Count = 0  # for how long after the Ask's deadline it may begin one


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An upper end asks a member to do one phase of one round."""

    run: Name
    round: Count
    phase: Word  # train, evaluate, or one that the strategy names
    strategy: Word
    program: Digest  # of the program blob (folkmoot.wire.bundle)
    weights: Digest  # of the base model's block of weights
    base: Count  # its version number in the run
    plan: Plan = Plan()
    options: dict[str, Scalar] = {}
    ring: Word = "z"
    scale: Annotated[int, Meta(ge=0, le=52)] = 22  # b: an update is rounded to multiples of 2^-b
    bound: Annotated[float, Meta(gt=0, le=1e9)] = 64.0  # c: largest |delta| that is taken
    cap: Annotated[int, Meta(ge=1, le=1 << 40)] = 10_000  # largest weight of one leaf
    total: Annotated[int, Meta(ge=1, le=1 << 53)] = 1 << 25  # W: largest sum of weights of a round
    evaluate: bool = True  # evaluate the base model on the hold-out first
    goal: Count = 0  # leaves wanted; 0: every one that is asked
    each: tuple[Invited, ...] | None = None  # None: everybody below
    inline: bytes | None = None  # the weights themselves, where they fit
    size: Size = 0  # bytes of the weights
    program_size: Size = 0
    offline: Offline | None = None  # None: an answer to a round that is over is late
    transform: Word | None = None  # how a device's update may travel (folkmoot.transforms); float32 is taken as well


class Started(msgspec.Struct, frozen=True):
    """The member has the Ask and works on it."""


class Refuse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The member will not do it."""

    reason: Word
    detail: Text = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The manifest of a partial (folkmoot.wire.partial): what it is relative to, and its bytes when they fit."""

    base: Count
    weights: Digest
    program: Digest
    payload: Digest
    size: Count
    chunk: Annotated[int, Meta(ge=1024, le=1 << 20)] = 32_768
    attempt: Annotated[int, Meta(ge=0, le=1000)] = 0
    inline: bytes | None = None
    # To an Ask with `offline`: which round it was, for an upper end that has forgotten the round by now.
    run: Annotated[str, Meta(max_length=32)] = ""
    round: Count = 0
    local: Local = 0  # the number of the local round whose sums these are; 0: of the Ask itself


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of an answer. After anything but `need` the sender may forget it."""

    status: Literal["ok", "dup", "need", "bad", "late"]
    reason: Annotated[str, Meta(max_length=64)] = ""
    detail: Text = ""
    payload: bytes = b""  # digest of the answer that it is about
    have: bytes = b""  # for `need`: bitmap of the chunks that the receiver has, bit i of byte i // 8

    def __post_init__(self) -> None:
        _digest_or_nothing(self.payload, "payload")


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of an answer on its way up."""

    payload: Digest
    index: Count
    data: bytes


class Get(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Asks for blocks of a blob, or, with no blob, for the open Ask again."""

    blob: bytes = b""
    chunk: Annotated[int, Meta(ge=1024, le=1 << 20)] = 32_768
    first: Count = 0
    count: Annotated[int, Meta(ge=0, le=256)] = 0

    def __post_init__(self) -> None:
        _digest_or_nothing(self.blob, "blob")


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of a blob on its way down. `size` 0 says that the upper end does not have the blob."""

    blob: Digest
    index: Count
    size: Size  # of the whole blob, bytes
    data: bytes = b""


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Retained birth and will. A will with an older birth counter than the last birth is ignored."""

    state: Literal["up", "sleeping", "down"]
    birth: Count  # grows with every connection, kept across reboots
    hello: bytes = b""  # digest of the hello that holds now
    software: Annotated[str, Meta(max_length=64)] = ""
    bye: bool = False  # with `down`: on purpose, do not wait for the grace

    def __post_init__(self) -> None:
        _digest_or_nothing(self.hello, "hello")


class Device(msgspec.Struct, frozen=True, array_like=True):
    """One leaf below a gateway, as its hello lists it."""

    name: Name
    state: Literal["up", "sleeping", "away", "gone"]
    examples: Count
    software: Annotated[str, Meta(max_length=64)] = ""
    runtime: Annotated[str, Meta(max_length=64)] = ""
    memory: Count = 0  # bytes of RAM
    data: Annotated[str, Meta(max_length=64)] = ""  # name of the data contract that the examples meet
    why_not: Text = ""  # why it takes no part now, as its own hello says; "": it does


class Hello(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A member's readiness. Its digest stands in the status; whoever lacks it asks for it."""

    protocol: tuple[Count, Count] = (1, 1)  # lowest and highest major version
    features: tuple[str, ...] = ()
    software: Annotated[str, Meta(max_length=64)] = ""
    runtime: Annotated[str, Meta(max_length=64)] = ""
    memory: Count = 0
    data: Annotated[str, Meta(max_length=64)] = ""
    examples: Count = 0
    max_packet: Count = 262_144
    chunk: Annotated[int, Meta(ge=1024, le=1 << 20)] = 32_768
    ready: bool = True
    why_not: Text = ""
    devices: tuple[Device, ...] | None = None  # a gateway's leaves; None for a device


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An upper end wants something that is no phase: a hello, or that an Ask is dropped (its id in the envelope)."""

    what: Literal["hello", "cancel"]
    reason: Text = ""


class Telemetry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Figures nobody depends on, sent with QoS 0."""

    values: dict[Word, float] = {}


Body = Ask | Started | Refuse | Answer | Receipt | Chunk | Get | Block | Status | Hello | Request | Telemetry

# Numbers of the types on the wire: never reused.
TYPES: dict[int, type[Body]] = {
    1: Ask,
    2: Started,
    3: Refuse,
    4: Answer,
    5: Receipt,
    6: Chunk,
    7: Get,
    8: Block,
    9: Status,
    10: Hello,
    11: Request,
    12: Telemetry,
}
NUMBERS: dict[type[Body], int] = {body: number for number, body in TYPES.items()}
