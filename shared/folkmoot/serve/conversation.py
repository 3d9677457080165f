"""What an agent and its training process say to each other: CBOR with its length in front, over a pair of pipes.

The agent asks, one thing at a time; each Job has one answer, Done or Failed, each Ping a Pong. Cancel may come while a Job is
being done, which then ends as Failed("cancelled"); one that comes too late has no answer. A pipe that closes ends the process.
"""

import struct
from typing import Any

import msgspec

from folkmoot.errors import PeerFault
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Plan, Word

HEAD = struct.Struct(">I")  # bytes of the message that follows
# A job may bring a model's weights with it. No device can train one of this size; the limit is for damaged heads.
LIMIT = 256 * 1024 * 1024  # bytes


class Work(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One phase of one round, whatever it is done with."""

    phase: Word = "train"  # or evaluate
    plan: Plan = Plan()
    evaluate: bool = True  # measure the base model on the hold-out first
    cap: int = 10_000  # largest weight that the answer may have
    bound: float = 64.0  # largest |delta| that is taken
    seed: int = 0  # of all chance, together with the plan's own; a different one for each device and round
    transform: Word | None = None  # how the update travels


def wanted(device: str, ask: Ask) -> dict[str, Any]:
    """Gives the fields of the Work that an Ask wants of a device: each device and round has an order of examples of its own."""
    order = codec.digest(f"{device}/{ask.round}".encode())
    return {
        "phase": ask.phase,
        "plan": ask.plan,
        "evaluate": ask.evaluate,
        "cap": ask.cap,
        "bound": ask.bound,
        "seed": int.from_bytes(order[:6], "big"),
        "transform": ask.transform,
    }


class Job(Work, frozen=True, kw_only=True, tag="job", omit_defaults=True):
    """Work for the training process, as a member has it done."""

    device: str  # whose leaf the answer is
    program: str  # path of a file with the program blob (folkmoot.wire.bundle)
    examples: str  # path of the example store
    out: str  # folder into which the answer's payload is written
    weights: str = ""  # path of a file with the base model's block of weights
    block: bytes = b""  # or the block itself
    sha256: tuple[bytes, bytes] | None = None  # of program and weights, to check what is read


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop the job at the next step."""


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Are you there?"""


class Quit(msgspec.Struct, frozen=True, tag="quit"):
    """End."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done", omit_defaults=True):
    """A job is done, and its payload (folkmoot.wire.partial) written."""

    path: str
    digest: bytes  # sha256 of the payload
    size: int  # bytes of the payload
    metrics: dict[str, int]  # as in the payload
    examples: int = 0  # distinct ones that were trained on
    steps: int = 0
    seconds: float = 0.0  # of the whole job
    peak_bytes: int = 0  # of resident memory, of the whole process so far


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A job was not done, and nothing is left of it.

    Reasons: `cancelled`; `no_examples`; `contract`, where the store holds examples of another one; `examples`, where they do
    not fit it; `diverged`, where the update is beyond the bound; `malformed`, `oversized` and `layout` as in folkmoot.wire;
    `memory`; `runtime`, where none is installed; `store`, where the disk does not do; `died`, where the process has ended.
    """

    reason: Word
    detail: str = ""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """Here I am."""


Request = Job | Cancel | Ping | Quit
Reply = Done | Failed | Pong


def frame(message: Request | Reply) -> bytes:
    """Gives the bytes of one message with its head."""
    body = codec.dump(message)
    return HEAD.pack(len(body)) + body


def length(head: bytes) -> int:
    """Gives how many bytes follow a head. Raises PeerFault("oversized")."""
    (size,) = HEAD.unpack(head)
    if size > LIMIT:
        raise PeerFault("oversized", f"a message of {size} bytes between a device and its training")
    return int(size)


def request(body: bytes) -> Request:
    """Gives what the agent says. Raises PeerFault."""
    return codec.load(body, Request, limit=LIMIT)  # type: ignore[arg-type]  # a union is no type to mypy


def reply(body: bytes) -> Reply:
    """Gives what the training process says. Raises PeerFault."""
    return codec.load(body, Reply, limit=LIMIT)  # type: ignore[arg-type]
