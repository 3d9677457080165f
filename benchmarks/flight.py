"""What the flight recorder costs a gateway: time and bytes for each round.

    python -m benchmarks.flight

A home on virtual time, with the real gateway and the real recorder in the temporary folder: 10 devices whose answers travel
inside one message, and 10 whose answers of 1 MB come in pieces. What is counted is the processor's time (what is written stays
in the system's cache) of everything that the recorder does beside the steps that it records, in the quickest of three runs.
Ends with 1 beyond a bar.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from folkmoot.flight import recorder
from folkmoot.flight.part import parts
from folkmoot.flight.port import Notes
from folkmoot.simulate.faults.plan import Plan
from folkmoot.simulate.faults.world import World

ROUNDS = 20
BARS = {10_000: 5.0, 250_000: 100.0}  # parameters to ms a round: 0.5 ms an answer, 10 ms for each MB
DEVICES = tuple(f"d{number}" for number in range(10))


class Watch:
    """Counts the time that is spent in some methods, each in what it does itself."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def over(self, kind: type, name: str) -> None:
        """Watches a method."""
        method: Callable[..., Any] = getattr(kind, name)

        def timed(*given: Any) -> Any:
            began = time.thread_time()
            try:
                return method(*given)
            finally:
                self.seconds += time.thread_time() - began

        setattr(kind, name, timed)


def measure(parameters: int, watch: Watch) -> tuple[float, float, float]:
    """Gives ms of the recorder and of the whole simulated home a round, and bytes recorded over those of the answers."""
    world = World(Plan(1, {"g": DEVICES}, parameters=parameters, rounds=ROUNDS))
    with tempfile.TemporaryDirectory() as folder:
        flight = Path(folder) / "g"
        world.gateways["g"].recorder = recorder.Recorder(flight, 1 << 40)
        world.start()
        world.launch()
        watch.seconds, began = 0.0, time.thread_time()
        world.run(lambda: world.finished)
        spent = time.thread_time() - began
        size = sum(path.stat().st_size for _, path in parts(flight))
    answers = ROUNDS * len(DEVICES) * 4 * parameters
    return 1e3 * watch.seconds / ROUNDS, 1e3 * spent / ROUNDS, size / answers


def main() -> int:
    """Measures and says so."""
    logging.disable(logging.CRITICAL)
    watch = Watch()
    for name in ("take", "note"):
        watch.over(recorder.Recorded, name)
    watch.over(Notes, "refer")
    over = False
    for parameters, bar in BARS.items():
        cost, whole, ratio = min(measure(parameters, watch) for _ in range(3))
        over |= cost > bar
        what = f"10 devices, {parameters:,} parameters"
        print(
            f"{what:<32} {cost:6.2f} ms a round (all of the home: {whole:.0f} ms), {ratio:.2f} times the bytes of the answers"
        )
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
