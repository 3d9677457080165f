"""Tells how often a pulled model is right about people who had no part in its training, each of them and all together.

    python docs/examples/har/examine.py har.tflite test.npz

It runs on the TFLite runtime that the extra `device` installs.
"""

import sys
from pathlib import Path

import numpy as np

from folkmoot.errors import UserFault
from folkmoot.serve.program import runtime


def right(model: Path, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gives whether an inference program, one window in and one row of logits out, is right about each window, [N] bool."""
    interpreter = runtime().Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    (given,), (found,) = interpreter.get_input_details(), interpreter.get_output_details()
    said = np.empty(len(y), np.int64)
    for index, window in enumerate(x):
        interpreter.set_tensor(given["index"], window[None])
        interpreter.invoke()
        said[index] = interpreter.get_tensor(found["index"]).argmax()
    return said == y


def main(model: Path, examples: Path) -> None:
    """Prints a line for each person, and one for all."""
    with np.load(examples, allow_pickle=False) as found:
        x, y, people = found["x"], found["y"], found["client"]
    hits = right(model, x, y)
    for person in np.unique(people):
        print(f"person {person:2}: {hits[people == person].mean():.3f} of {np.sum(people == person):,} windows")
    print(f"accuracy {hits.mean():.4f} on {len(hits):,} windows of {len(np.unique(people))} people")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python docs/examples/har/examine.py MODEL.tflite test.npz")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (OSError, ValueError, KeyError, UserFault) as error:
        sys.exit(str(error))
