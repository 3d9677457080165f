"""One target in this process, guided by coverage: `python -m tests.fuzz.guided TARGET [libFuzzer's arguments]`.

libFuzzer ends the process when it is through or has found something; `python -m tests.fuzz` starts this and reads what it says.
Where atheris has no wheel, importing this fails.
"""

import random
import sys
import tracemalloc

import atheris

# What is measured for coverage is imported here and nowhere before: what stands in sys.modules already is left as it is.
with atheris.instrument_imports(include=["folkmoot.wire", "folkmoot.store.spool"]):
    from tests.fuzz.mutation import change
    from tests.fuzz.table import TARGETS
    from tests.fuzz.target import hold

CHANGED = 0.7  # of the inputs are changed as the tree that they stand for, the others by libFuzzer
AFRESH = 0.4  # of those begin at a seed: soon more of what libFuzzer keeps is damaged than sound


def main() -> None:
    """Runs until libFuzzer has enough; its exit code is the process's."""
    target = TARGETS[sys.argv[1]]

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if target.cbor is not None and rng.random() < CHANGED:
            start = rng.choice(target.seeds) if rng.random() < AFRESH else bytes(data)
            return change(start, rng, target.cbor)[:longest]
        return atheris.Mutate(data, longest)

    for seed in target.seeds:
        hold(target, seed)  # once without measuring: what is made once and kept is nobody's
    tracemalloc.start()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: hold(target, data), custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
