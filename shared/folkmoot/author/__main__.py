"""`python -m folkmoot.author MODULE:FUNCTION BUNDLE SEED`: one compilation in a fresh process; `folkmoot author` starts it."""

import importlib
import os
import sys
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging
from rich.console import Console

from folkmoot.author import compiler
from folkmoot.author.draft import Draft
from folkmoot.errors import UserFault
from folkmoot.wire import bundle


def main(source: str, output: str, seed: str) -> int:
    """Compiles; gives the exit code: 2 with one sentence on standard error for a person's mistake."""
    tf.get_logger().setLevel("ERROR")  # its warnings, and absl's, are about TensorFlow's own insides
    logging.set_verbosity(logging.ERROR)
    try:
        # A copy of standard error: the one that others write to is silenced while they work (folkmoot.author.quiet).
        with os.fdopen(os.dup(2), "w") as screen, Console(file=screen).status(f"loading {source}") as status:
            built = compiler.build(_draft(source, int(seed)), status.update)
        fresh = Path(f"{output}.new")
        fresh.write_bytes(built)
        fresh.replace(output)  # whole, or as it was
    except OSError as error:
        print(f"folkmoot: {output} cannot be written ({error.strerror}): give another --output", file=sys.stderr)
        return 2
    except UserFault as fault:
        print(f"folkmoot: {fault}", file=sys.stderr)
        return 2
    manifest = bundle.load(built)[1].manifest
    print(f"{output}: {manifest.task} {manifest.version}, {manifest.parameters:,} parameters, {len(built):,} bytes")
    return 0


def _draft(source: str, seed: int) -> Draft:
    """Calls what `source` names, with Keras, numpy and Python seeded.

    Raises UserFault where there is no such function, or it gives something else than a draft.
    """
    place, _, name = source.partition(":")
    try:
        function = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserFault(f"there is no {source}: {error}; say MODULE:FUNCTION, the module as Python imports it") from None
    keras.utils.set_random_seed(seed)
    draft = function()
    if not isinstance(draft, Draft):
        raise UserFault(f"{source} gave a {type(draft).__name__}; it must return a folkmoot.author.draft.Draft")
    return draft


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
