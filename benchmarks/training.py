"""What training on a device costs: memory of the agent with its training process, and time. `python -m benchmarks.training`.

To be run alone: memory that other processes of the same environment share would count by halves.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from folkmoot import tasks
from folkmoot.store.examples import Examples
from folkmoot.tasks import digits
from folkmoot.wire import bundle

EXAMPLES = 150  # of a device of the demo
TASKS = ("digits-cnn", "digits-mlp")

SAID = """{task}, {examples} examples, batch {batch}:
  agent and training process while it trains  {both:6.1f} MiB proportional
  training process, the most                  {peak:6.1f} MiB resident
  first job, with the start of the process    {cold:6.2f} s
  a step, examples read from the disk         {step:6.0f} us"""


def prepare(folder: Path) -> None:
    """Puts down what every job needs."""
    dealt, _ = digits.load()
    store = Examples(folder / "examples.db", digits.CONTRACT)
    store.add(((x.tobytes(), y.tobytes()) for x, y in zip(dealt.x[:EXAMPLES], dealt.y[:EXAMPLES], strict=True)), 0)
    store.close()
    for task in TASKS:
        found, _ = bundle.load(tasks.read(task))
        (folder / task).mkdir()
        (folder / task / "program").write_bytes(found.program)
        (folder / task / "weights").write_bytes(found.weights)


def measure(folder: Path) -> dict[str, float]:
    """Prints the figures of every task; gives the MiB of agent and training process with the first one."""
    both = {}
    for task in TASKS:
        manifest = bundle.load(tasks.read(task))[1].manifest
        ran = subprocess.run(
            [sys.executable, "-m", "benchmarks.trainer", str(folder), task], stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(ran.stdout)
        sizes = {name: found[name] / (1 << 20) for name in ("both", "peak")}
        both[task] = sizes["both"]
        print(
            SAID.format(
                task=task, examples=EXAMPLES, batch=manifest.batch, cold=found["cold"], step=1e6 * found["step"], **sizes
            )
        )
    return {"training_mib": both[TASKS[0]]}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as found:
        prepare(Path(found))
        print(json.dumps(measure(Path(found))))
