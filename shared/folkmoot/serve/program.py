"""A compiled program on the TFLite runtime that is installed: sets weights, trains, evaluates, infers.

The runtime is `tflite-runtime` or `ai-edge-litert`, whichever is there; the extra `device` brings the one that fits the Python.
Training processes load this module; an agent at rest does not.
"""

from collections.abc import Collection
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from folkmoot import arrays
from folkmoot.arrays import Array
from folkmoot.errors import MisuseFault, PeerFault, UserFault
from folkmoot.wire.bundle import Program

Floats = NDArray[np.float32]

RUNTIMES = ("tflite_runtime", "ai_edge_litert")
"""Packages with an interpreter, in the order in which they are looked for."""
SIGNATURES = ("train", "evaluate", "infer", "get_weights", "set_weights")
"""What every program has. Those with an optimiser that remembers have `reset`, some have `features`."""


def runtime(name: str = "") -> Any:
    """Gives the module that has a runtime's Interpreter; with no name, of the first runtime that is installed.

    Raises UserFault where it is not here.
    """
    for one in (name,) if name else RUNTIMES:
        try:
            return import_module(f"{one}.interpreter")
        except ImportError:
            continue
    raise UserFault(f"{name} is not installed" if name else "no TFLite runtime is installed: pip install 'folkmoot[device]'")


class Learner:
    """A program with its weights. Weights must be set before anything else is asked of it.

    Batches may have any number of examples up to the program's own; a smaller one is filled up with copies of its examples that
    weigh nothing. (Zeros would do as well, but for batch statistics, which know no weights.)
    """

    def __init__(self, program: Program, *, threads: int = 1, on: str = "") -> None:
        """Loads the program, on the runtime of that name or the first one there is.

        One thread is fastest for models of this size: a step takes less than waking a second one. Raises UserFault where no
        runtime is installed, PeerFault("malformed") where this one cannot load the program.
        """
        self.manifest = program.manifest
        self.base: dict[str, Array] = {}  # the weights that were set, as views of their block
        self._block: bytes | memoryview = b""
        self._weighted = False
        kind = runtime(on).Interpreter
        try:
            loaded = kind(model_content=program.tflite, num_threads=threads)
            names = loaded.get_signature_list()
            self._run = {name: loaded.get_signature_runner(name) for name in {*SIGNATURES, *names}}
            self._takes = frozenset(self._run["train"].get_input_details())
        except (RuntimeError, ValueError) as error:
            raise PeerFault("malformed", f"program of {self.manifest.task}: {error}") from None

    def set_weights(self, block: bytes | memoryview, *, reset: bool = True) -> None:
        """Sets every tensor, and the anchor of the proximal term; with `reset`, the optimiser forgets its steps so far.

        Raises PeerFault("layout") where the block is not the layout's.
        """
        if block is not self._block:  # the devices of a simulation have one for all of them
            self.base, self._block = arrays.unpack(self.manifest.layout, block), block
        self._run["set_weights"](**{f"w{i}": values for i, values in enumerate(self.base.values())})
        # What an optimiser remembers has no value before the first reset.
        if "reset" in self._run and (reset or not self._weighted):
            self._run["reset"]()
        self._weighted = True

    def tensors(self) -> dict[str, Array]:
        """Gives every tensor by its name."""
        found = self._call("get_weights")
        return {tensor.name: found[f"w{i}"] for i, tensor in enumerate(self.manifest.layout.tensors)}

    def get_weights(self) -> bytes:
        """Gives every tensor as one block."""
        return arrays.pack(self.manifest.layout, self.tensors())

    def train(
        self,
        x: Array,
        y: Array,
        *,
        rate: float,
        proximal: float = 0.0,
        sample_weight: Floats | None = None,
        only: Collection[str] | None = None,
        seed: int = 0,
    ) -> Floats:
        """Takes one step on the weighted mean loss of a batch; gives the loss of each example before it, [n] float32.

        The optimiser of the manifest moves a trained tensor w along gradient + proximal * (w - anchor). `x` and `y`: [n, ...]
        as the contract has them, 1 <= n <= batch; `sample_weight`: [n], ones if not given; `only`: names of the tensors that
        move, all if not given; `seed`: of the step's random numbers, 0 <= seed < 2^31.
        """
        if only is not None and (unknown := set(only) - set(self.manifest.trained)):
            raise MisuseFault(
                f"{', '.join(sorted(unknown))} cannot move alone: the program of {self.manifest.task} trains no such"
            )
        moves = [1.0 if only is None or name in only else 0.0 for name in self.manifest.trained]
        given = {
            "lr": np.float32(rate),
            "mu": np.float32(proximal),
            "mask": np.asarray(moves, np.float32),
            "seed": np.int32(seed),
        }
        # A program of an earlier compiler takes fewer of them.
        taken = {name: value for name, value in given.items() if name in self._takes}
        losses: Floats = self._call("train", **self._batch(x, y, sample_weight), **taken)["loss"]
        return losses[: len(x)]

    def evaluate(self, x: Array, y: Array, *, sample_weight: Floats | None = None) -> tuple[Floats, dict[str, float]]:
        """Gives the loss of each example, [n] float32, 0 where the weight is 0, and the sum of each metric over the others.

        Raises PeerFault("malformed") where the program does not give a metric of its manifest.
        """
        found = self._call("evaluate", **self._batch(x, y, sample_weight))
        if missing := set(self.manifest.metrics) - found.keys():
            raise PeerFault("malformed", f"program of {self.manifest.task}: it does not measure {', '.join(sorted(missing))}")
        sums = {name: float(found[name].sum()) for name in self.manifest.metrics if name != "loss"}
        return found["loss"][: len(x)], sums

    def features(self, x: Array) -> Array:
        """Gives the features of each example, [n, ...]. Raises MisuseFault where the program has none."""
        if "features" not in self._run:
            raise MisuseFault(f"the program of {self.manifest.task} gives no features")
        found: Array = self._call("features", x=self._filled(x))["features"]
        return found[: len(x)]

    def infer(self, x: Array) -> Array:
        """Gives the model's output for each example, [n, ...]."""
        output: Array = self._call("infer", x=self._filled(x))["output"]
        return output[: len(x)]

    def _call(self, name: str, **inputs: Any) -> dict[str, Any]:
        if not self._weighted:
            raise MisuseFault(f"{name} before set_weights: a program comes without weights")
        found: dict[str, Any] = self._run[name](**inputs)
        return found

    def _batch(self, x: Array, y: Array, sample_weight: Floats | None) -> dict[str, Array]:
        weight = np.zeros(self.manifest.batch, np.float32)
        weight[: len(x)] = 1.0 if sample_weight is None else sample_weight
        return {"x": self._filled(x), "y": self._filled(y), "sample_weight": weight}

    def _filled(self, part: Array) -> Array:
        """Gives as many rows as the program's batch has, by going through those of `part` again."""
        batch = self.manifest.batch
        if not 1 <= len(part) <= batch:
            raise MisuseFault(f"a batch of {len(part)} examples; the program takes 1 to {batch}")
        return part if len(part) == batch else part[np.arange(batch) % len(part)]
