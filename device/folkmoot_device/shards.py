"""What the devices of a fleet are dealt: the digits of scikit-learn, or somebody's own examples.

Own examples are one file of arrays, as `numpy.savez` writes it:

    x         [N, ...]  float32
    y         [N, ...]  int32 labels, or float32
    contract            text: name of the data contract that the examples meet
    client    [N]       integers, optional: whose each example is, from 0
"""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from folkmoot import ids, partition
from folkmoot.arrays import Array
from folkmoot.errors import UserFault
from folkmoot.partition import Indices
from folkmoot.store.examples import Example
from folkmoot.tasks import digits

DEVICES = 20  # where nobody says how many
LEAST = 12  # digits of a device, on average, hold-out included; of a larger fleet some are generated
SHAPES = "x [N, ...] float32, y [N, ...] int32 or float32, contract, and client [N] integers if it is known"


class Source(Protocol):
    """Where a fleet's examples come from."""

    @property
    def contract(self) -> str:
        """Name of the data contract that they meet."""
        ...

    def numbers(self, devices: int | None) -> Sequence[int]:
        """Gives the numbers that the names of so many devices say; None: as many as there should be.

        Raises UserFault where there is not enough for them.
        """
        ...

    def deal(self, numbers: Sequence[int], alpha: float, rng: Generator) -> Iterator[Iterator[Example]]:
        """Yields the examples of each device. Raises UserFault where there are none to be had."""
        ...


class Digits:
    """Scikit-learn's handwritten digits, each with few devices."""

    contract = digits.CONTRACT

    def numbers(self, devices: int | None) -> Sequence[int]:
        """Gives the numbers from 0 on."""
        return range(devices or DEVICES)

    def deal(self, numbers: Sequence[int], alpha: float, rng: Generator) -> Iterator[Iterator[Example]]:
        """Yields the digits of each device. Raises UserFault where scikit-learn is missing."""
        dealt, _ = digits.load()
        dealt = digits.more(dealt, max(len(dealt), LEAST * len(numbers)), rng)
        for shard in partition.dirichlet(dealt.y, len(numbers), alpha, rng):
            yield _bytes(dealt.x, dealt.y, shard)


@dataclass(frozen=True, slots=True)
class Own:
    """Somebody's own examples, all in memory."""

    path: Path
    contract: str
    x: Array  # [N, ...] float32
    y: NDArray[Any]  # [N, ...] int32 or float32
    client: NDArray[Any] | None = None  # [N]: whose each is

    def numbers(self, devices: int | None) -> Sequence[int]:
        """Gives those of the clients, the first ones where fewer devices are wanted; without clients, the numbers from 0 on."""
        if self.client is None:
            if (devices or DEVICES) > len(self.x):
                raise UserFault(f"{self.path} has {len(self.x)} examples: give that many --devices at most")
            return range(devices or DEVICES)
        clients = [int(client) for client in np.unique(self.client)]
        if devices and devices > len(clients):
            raise UserFault(f"{self.path} has {len(clients)} clients: give that many --devices at most, or none")
        return clients[:devices]

    def deal(self, numbers: Sequence[int], alpha: float, rng: Generator) -> Iterator[Iterator[Example]]:
        """Yields each client's examples; without clients, labels by Dirichlet's distribution and all else in equal parts."""
        for shard in self._shards(numbers, alpha, rng):
            yield _bytes(self.x, self.y, shard)

    def _shards(self, numbers: Sequence[int], alpha: float, rng: Generator) -> list[Indices]:
        if self.client is not None:
            order = np.argsort(self.client, kind="stable")
            clients, starts = np.unique(self.client[order], return_index=True)
            shards = dict(zip(clients.tolist(), np.split(order, starts[1:]), strict=True))
            return [shards[number] for number in numbers]
        if self.y.ndim == 1 and self.y.dtype == np.int32:
            return partition.dirichlet(self.y, len(numbers), alpha, rng)
        return np.array_split(rng.permutation(len(self.x)), len(numbers))


def source(path: Path | None) -> Source:
    """Gives the examples of a file, or the digits. Raises UserFault as `read` does."""
    return read(path) if path else Digits()


def read(path: Path) -> Own:
    """Gives somebody's own examples, without running anything that the file may hold.

    Raises UserFault where the file is missing, is no archive of arrays, or has other arrays than it should.
    """
    arrays = _arrays(path)
    missing = [name for name in ("x", "y", "contract") if name not in arrays]
    if missing:
        raise UserFault(f"{path} has no {' and no '.join(missing)}: write {SHAPES}")
    x, y, client = arrays["x"], arrays["y"], arrays.get("client")
    _check_form(path, "x", x, x.dtype == np.float32, "float32")
    _check_form(path, "y", y, y.dtype in (np.int32, np.float32), "int32 or float32")
    if client is not None:
        _check_form(path, "client", client, client.dtype.kind in "iu" and client.ndim == 1, "whole numbers")
    lengths = {name: len(array) for name, array in (("x", x), ("y", y), ("client", client)) if array is not None}
    if len(set(lengths.values())) > 1 or not len(x):
        told = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise UserFault(f"{path} has {told}: write one of each for every example, and at least one example")
    for name, array in (("x", x), ("y", y)):
        if not np.isfinite(array).all():
            raise UserFault(f"{path}: {name} holds infinities or what is no number: leave those examples out")
    if client is not None and client.min() < 0:
        raise UserFault(f"{path}: client {client.min()} cannot be part of a device's name: number the clients from 0")
    return Own(path, _contract(path, arrays["contract"]), x, y, client)


def _arrays(path: Path) -> dict[str, Array]:
    """Gives the arrays that we look at. Raises UserFault where they cannot be read."""
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                raise UserFault(f"{path} is one array: write several with numpy.savez, {SHAPES}")
            arrays = {name: found[name] for name in ("x", "y", "contract", "client") if name in found}
    except FileNotFoundError:
        raise UserFault(f"{path} does not exist: write it with numpy.savez, or give another --examples") from None
    except OSError as error:
        raise UserFault(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except MemoryError:
        raise UserFault(f"{path} does not fit into memory: write fewer examples into it") from None
    # What numpy and zipfile say of files that are something else, cut off, damaged, encrypted, or hold Python objects.
    except (ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        why = " ".join(str(error).split())
        raise UserFault(f"{path} is no file of arrays ({why}): write it with numpy.savez, without Python objects") from None
    if any(not isinstance(array, np.ndarray) for array in arrays.values()):  # numpy gives bytes of members that are no arrays
        raise UserFault(f"{path} is an archive of something else: write it with numpy.savez, {SHAPES}")
    return arrays


def _check_form(path: Path, name: str, array: Array, good: bool, form: str) -> None:
    if not good or not array.ndim:
        raise UserFault(f"{path}: {name} is {array.dtype} {list(array.shape)}; it must be {form}, one row for each example")


def _contract(path: Path, found: Array) -> str:
    """Gives the name that an array holds. Raises UserFault."""
    if found.ndim or found.dtype.kind != "U":
        raise UserFault(f"{path}: contract is {found.dtype} {list(found.shape)}; it must be text: the data contract's name")
    return ids.check(str(found), f"{path}: the contract's name")


def _bytes(x: Array, y: Array, shard: Indices) -> Iterator[Example]:
    """Gives examples as a store has them."""
    x, y = (array.astype(array.dtype.newbyteorder("<"), copy=False) for array in (x, y))
    return ((x[index].tobytes(), y[index].tobytes()) for index in shard)
