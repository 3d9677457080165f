"""A compiled program on the TFLite runtime that is installed: sets weights, trains, evaluates, infers.

The runtime is `tflite-runtime` or `ai-edge-litert`, whichever is there; the extra `device` brings the one that fits the Python.
Training processes load this module; an agent at rest does not.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from folkmoot import arrays
from folkmoot.arrays import Array
from folkmoot.errors import MisuseFault, PeerFault, UserFault
from folkmoot.wire.bundle import Program

try:
    from tflite_runtime.interpreter import Interpreter
except ImportError:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = None

Floats = NDArray[np.float32]

SIGNATURES = ("train", "evaluate", "infer", "get_weights", "set_weights")


class Learner:
    """A program with its weights. Weights must be set before anything else is asked of it.

    Batches may have any number of examples up to the program's own; a smaller one is filled up with copies of its examples that
    weigh nothing. (Zeros would do as well, but for batch statistics, which know no weights.)
    """

    def __init__(self, program: Program, *, threads: int = 1) -> None:
        """Loads the program. One thread is fastest for models of this size: a step takes less than waking a second one.

        Raises UserFault where no runtime is installed, PeerFault("malformed") where this one cannot load the program.
        """
        if Interpreter is None:
            raise UserFault("no TFLite runtime is installed: pip install 'folkmoot[device]'")
        self.manifest = program.manifest
        self._weighted = False
        try:
            interpreter = Interpreter(model_content=program.tflite, num_threads=threads)
            self._run = {name: interpreter.get_signature_runner(name) for name in SIGNATURES}
        except (RuntimeError, ValueError) as error:
            raise PeerFault("malformed", f"program of {self.manifest.task}: {error}") from None

    def set_weights(self, block: bytes | memoryview) -> None:
        """Sets every tensor, and the anchor of the proximal term.

        Raises PeerFault("layout") where the block is not the layout's.
        """
        values = arrays.unpack(self.manifest.layout, block)
        self._run["set_weights"](**{f"w{i}": values[tensor.name] for i, tensor in enumerate(self.manifest.layout.tensors)})
        self._weighted = True

    def get_weights(self) -> bytes:
        """Gives every tensor as one block."""
        found = self._call("get_weights")
        layout = self.manifest.layout
        return arrays.pack(layout, {tensor.name: found[f"w{i}"] for i, tensor in enumerate(layout.tensors)})

    def train(self, x: Array, y: Array, *, rate: float, proximal: float = 0.0, sample_weight: Floats | None = None) -> Floats:
        """Takes one step of SGD on the weighted mean loss of a batch; gives the loss of each example before it, [n] float32.

        The step of a trained tensor w is -rate * (gradient + proximal * (w - anchor)). `x` and `y`: [n, ...] as the contract
        has them, 1 <= n <= batch; `sample_weight`: [n], ones if not given.
        """
        batch = self._batch(x, y, sample_weight)
        losses: Floats = self._call("train", **batch, lr=np.float32(rate), mu=np.float32(proximal))["loss"]
        return losses[: len(x)]

    def evaluate(self, x: Array, y: Array, *, sample_weight: Floats | None = None) -> tuple[Floats, Floats]:
        """Gives loss and correctness (1.0 or 0.0) of each example, both [n] float32, 0 where the weight is 0."""
        found = self._call("evaluate", **self._batch(x, y, sample_weight))
        return found["loss"][: len(x)], found["correct"][: len(x)]

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
