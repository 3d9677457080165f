"""`folkmoot author MODULE:FUNCTION -o bundle.fmb`: a Keras model becomes a bundle that devices train.

Imports no TensorFlow: the compiler runs in a process of its own, because two conversions in one process may differ in bytes.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from folkmoot.errors import UserFault

Source = Annotated[
    str,
    typer.Argument(metavar="MODULE:FUNCTION", help="A function without arguments that returns a folkmoot.author.draft.Draft."),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="BUNDLE", help="Where to write the bundle (.fmb).")]
Seed = Annotated[int, typer.Option(help="Seeds the initial weights.", min=0)]


def author(source: Source, output: Output, seed: Seed = 0) -> int:
    """Compile a Keras model into a bundle: a program that devices train, its weights, and what they mean."""
    if find_spec("tensorflow") is None:
        raise UserFault("`folkmoot author` needs TensorFlow: pip install 'folkmoot[author]'")
    command = [sys.executable, "-m", "folkmoot.author", source, str(output), str(seed)]
    # What TensorFlow says below its errors is about itself. oneDNN adds in an order that depends on the processor, and ends the
    # process over a transposed convolution whose stride is beyond its kernel (TensorFlow 2.19).
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - our own module
