"""Examples as arrays, a batch at a time. Of a store, what is not in the batch stays on the disk."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Iterator
from itertools import count, islice
from math import prod
from pathlib import Path
from random import Random

import numpy as np

from folkmoot.arrays import Array
from folkmoot.errors import FolkmootError
from folkmoot.store.examples import Reader, Split
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

Batch = tuple[Array, Array]


class JobFault(FolkmootError):
    """What a job needs is not here, or not as it should be. `reason` is one of conversation.Failed."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Batches(ABC):
    """The examples of one device, in the order in which a plan wants them."""

    def __init__(self, size: int) -> None:
        """Batches have `size` examples, the last ones fewer."""
        self._size = size

    @abstractmethod
    def ids(self, split: Split) -> "array[int]":
        """Gives what stands for the examples of a split, oldest first."""

    @abstractmethod
    def read(self, ids: "array[int]") -> Batch | None:
        """Gives some examples, [n, ...]; None where they are all gone by now."""

    def held_out(self) -> Iterator[Batch]:
        """Gives every example that is held out, once."""
        yield from self._read(self.ids("holdout"))

    def training(self, plan: Plan, order: Random) -> Iterator[tuple[int, Array, Array]]:
        """Gives what a plan trains on, each batch with the number of its epoch.

        Epochs have the same examples, each in an order of its own. Raises JobFault("no_examples") where there are none.
        """
        ids = self.ids("train")
        order.shuffle(ids)
        if plan.max_examples:
            ids = ids[: plan.max_examples]
        if not ids:
            raise JobFault("no_examples", "there is nothing here to train on")
        epochs = count() if plan.steps else range(plan.epochs)
        return islice(self._epochs(ids, epochs, order), plan.steps or None)

    def _epochs(self, ids: "array[int]", epochs: Iterable[int], order: Random) -> Iterator[tuple[int, Array, Array]]:
        for epoch in epochs:
            if epoch:
                order.shuffle(ids)
            batch = None
            for batch in self._read(ids):
                yield epoch, *batch
            if batch is None:
                raise JobFault("no_examples", "they were all dropped while the job went on")

    def _read(self, ids: "array[int]") -> Iterator[Batch]:
        for at in range(0, len(ids), self._size):
            found = self.read(ids[at : at + self._size])
            if found is not None:
                yield found


class Stored(Batches):
    """The examples of one store, as a contract has them."""

    def __init__(self, store: Path, contract: Contract, size: int) -> None:
        """Opens the store.

        Raises StoreFault, and JobFault("contract") where the store holds examples of another contract.
        """
        super().__init__(size)
        self._reader = Reader(store)
        self._contract = contract
        if self._reader.contract != contract.name:
            self.close()
            raise JobFault("contract", f"the examples here are {self._reader.contract}; the task takes {contract.name}")

    def close(self) -> None:
        """Closes the store."""
        self._reader.close()

    def ids(self, split: Split) -> "array[int]":
        """Gives the ids of a split."""
        return self._reader.ids(split)

    def read(self, ids: "array[int]") -> Batch | None:
        """Gives some examples; the retention may have dropped every one meanwhile."""
        examples = self._reader.read(ids)
        if not examples:
            return None
        x = self._array([x for x, _ in examples], self._contract.x_shape, self._contract.x_dtype)
        y = self._array([y for _, y in examples], self._contract.y_shape, self._contract.y_dtype)
        return x, y

    def _array(self, rows: list[bytes], shape: tuple[int, ...], dtype: str) -> Array:
        """Gives rows of bytes as one array, [n, *shape]. Raises JobFault("examples") where one has another length."""
        kind = np.dtype(dtype).newbyteorder("<")
        expected = prod(shape) * kind.itemsize
        for row in rows:
            if len(row) != expected:
                name = self._contract.name
                raise JobFault("examples", f"an example has {len(row)} bytes where the contract {name} has {expected}")
        return np.frombuffer(b"".join(rows), kind).reshape(len(rows), *shape)
