"""An uploaded bundle, opened: everything about it is checked here, so that nothing later can fail because of it."""

import asyncio
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np

from folkmoot import arrays, graft
from folkmoot.errors import PeerFault, UserFault
from folkmoot.wire import bundle
from folkmoot.wire.bundle import Bundle, Graft, Manifest
from folkmoot_cloud.faults import Invalid
from folkmoot_cloud.words import WORD

MAGIC = b"TFL3"  # a .tflite has it at byte 4 (TensorFlow Lite's schema, file_identifier)
_WORD = re.compile(WORD)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A bundle that holds what it promises."""

    digest: str
    bundle: Bundle
    manifest: Manifest
    described: dict[str, Any]  # the manifest as JSON
    grafts: dict[str, tuple[Graft, ...]]


async def unpack(content: bytes) -> Parcel:
    """Gives the bundle that was uploaded. Raises Invalid, which says in one sentence what is wrong with it."""
    if not content:
        raise Invalid("the request has no bundle in it: send the bytes of a .fmb file as the body")
    try:
        return await asyncio.to_thread(_unpack, content)
    except (PeerFault, UserFault) as fault:
        raise Invalid(f"this is no bundle that can be run: {fault}") from None


def _unpack(content: bytes) -> Parcel:
    opened, program = bundle.load(content)
    manifest = program.manifest
    levels = {f"the program at rate {rate}": bundle.program(level).tflite for rate, level in opened.levels.items()}
    for name, tflite in {"the program": program.tflite, **levels, **opened.inference}.items():
        if tflite[4:8] != MAGIC:
            raise PeerFault("malformed", f"{name} is no .tflite")
    if not manifest.layout.groups:
        raise PeerFault("layout", "no tensor is trained")
    if not manifest.version.isprintable() or not manifest.title.isprintable():
        raise PeerFault("malformed", "version and title must be printable characters, on one line")
    if not 0 < manifest.parameters < 1 << 53:
        raise PeerFault("malformed", f"the manifest counts {manifest.parameters} parameters")
    for name, array in arrays.unpack(manifest.layout, opened.weights).items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise PeerFault("non_finite", f"the initial weights of {name} are not all finite")
    return Parcel(sha256(content).hexdigest(), opened, manifest, _described(manifest), _grafts(opened, manifest))


def _described(manifest: Manifest) -> dict[str, Any]:
    """Gives the manifest as plain JSON; numbers that JSON lacks become null."""
    try:
        found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(manifest))
    except (TypeError, ValueError, RecursionError) as error:
        raise PeerFault("malformed", f"the manifest holds what JSON cannot: {error}") from None
    return found


def _grafts(opened: Bundle, manifest: Manifest) -> dict[str, tuple[Graft, ...]]:
    """Gives where each inference program keeps the weights, found here where the author has not said it."""
    found: dict[str, tuple[Graft, ...]] = {}
    for kind, tflite in opened.inference.items():
        if not _WORD.match(kind):
            raise PeerFault("malformed", f"inference program {kind!r} must be named with 1 to 32 of a-z, 0-9 and '_'")
        if kind in opened.grafts:
            if graft.apply(tflite, opened.grafts[kind], manifest.layout, opened.weights) != tflite:
                raise PeerFault("malformed", f"inference program {kind} does not hold the weights where its grafts say")
            found[kind] = opened.grafts[kind]
            continue
        try:
            found[kind] = graft.trace(tflite, manifest.layout, opened.weights)
        except UserFault:
            continue  # quantised, or folded: it serves the initial weights, and cannot be given others
    return found
