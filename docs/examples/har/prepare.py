"""Writes train.npz and test.npz, as `folkmoot fleet --examples` takes them, with a client for each person.

    python docs/examples/har/prepare.py "UCI HAR Dataset" FOLDER

The first argument is the folder that UCI's archive unpacks to, or the same windows in one file of arrays: X [N, 128, 9] whole
numbers with their scale, y [N] from 1, subject [N], is_test [N].
"""

import sys
from pathlib import Path

import numpy as np

CONTRACT = "har-128x9"
CHANNELS = [f"{sensor}_{axis}" for sensor in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"]
PARTS = ("train", "test")  # as the authors of the data have divided the people: 21 and 9

Arrays = dict[str, np.ndarray]


def from_folder(folder: Path, part: str) -> Arrays:
    """Gives the people of one part, from the text files of UCI's archive."""
    place = folder / part
    signals = [np.loadtxt(place / "Inertial Signals" / f"{name}_{part}.txt", np.float32, ndmin=2) for name in CHANNELS]
    labels = np.loadtxt(place / f"y_{part}.txt", np.int32, ndmin=1)
    people = np.loadtxt(place / f"subject_{part}.txt", np.int32, ndmin=1)
    return {"x": np.stack(signals, axis=2), "y": labels - 1, "client": people}


def from_file(file: Path, part: str) -> Arrays:
    """Gives the people of one part, from one file of arrays."""
    with np.load(file, allow_pickle=False) as found:
        ours = found["is_test"].astype(bool) == (part == "test")
        x = found["X"][ours].astype(np.float32) * np.float32(found["scale"])
        return {"x": x, "y": found["y"][ours].astype(np.int32) - 1, "client": found["subject"][ours].astype(np.int32)}


def main(source: Path, target: Path) -> None:
    """Writes both files into `target`."""
    read = from_folder if source.is_dir() else from_file
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        arrays = read(source, part)
        np.savez_compressed(target / f"{part}.npz", contract=CONTRACT, **arrays)
        print(f"{target / part}.npz: {len(arrays['y']):,} windows of {len(np.unique(arrays['client']))} people")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit('usage: python docs/examples/har/prepare.py "UCI HAR Dataset" FOLDER')
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{sys.argv[1]} is not the data set that README.md names: {error}")
