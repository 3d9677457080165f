"""An Ask for a lower end, and the end that it is for."""

from pathlib import Path

from folkmoot.hop.lower import Lower
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask
from tests.kit.asks import ask
from tests.kit.ends import lower

PROGRAM, WEIGHTS = b"program" * 2_000, b"weights" * 100
DEED = b"1" * 16


def question(**fields: object) -> Ask:
    """Gives an Ask whose weights travel inside it."""
    given = {
        "program": codec.digest(PROGRAM),
        "weights": codec.digest(WEIGHTS),
        "program_size": len(PROGRAM),
        "size": len(WEIGHTS),
        "inline": WEIGHTS,
    }
    return ask(**{**given, **fields})


def furnished(folder: Path) -> Lower:
    """Gives a lower end that has the program already."""
    end = lower(folder)
    end._library.put(PROGRAM)
    return end
