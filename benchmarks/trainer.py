"""What an agent and its training process take together: `python -m benchmarks.trainer FOLDER TASK`.

Imports what a device's agent imports and nothing else; benchmarks/training.py has filled the folder and starts it.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path

import msgspec

from folkmoot.serve import memory
from folkmoot.serve.conversation import Done, Job
from folkmoot.serve.training import Trainer
from folkmoot.wire.messages import Plan
from folkmoot_device import serve  # what is in an agent's memory, whether it trains or not

LOOKS = 20  # at the memory while it trains
EVERY = 0.05  # seconds


async def measure(folder: Path, task: str) -> dict[str, float]:
    """Gives bytes at rest, the most bytes of both while training, and the seconds of a step and of the first job."""
    trainer = Trainer()
    job = Job(
        device="d1",
        program=str(folder / task / "program"),
        weights=str(folder / task / "weights"),
        examples=str(folder / "examples.db"),
        out=str(folder / "out"),
        plan=Plan(epochs=5, learning_rate=0.1),
    )
    rest = memory.resident()
    clock = asyncio.get_running_loop().time
    began = clock()
    first = await trainer.run(job)
    cold = clock() - began
    warm = await trainer.run(job)
    assert isinstance(first, Done)
    assert isinstance(warm, Done)
    long = asyncio.create_task(trainer.run(msgspec.structs.replace(job, plan=Plan(steps=1_000_000, learning_rate=0.001))))
    both = []
    for _ in range(LOOKS):
        await asyncio.sleep(EVERY)
        assert trainer.pid
        both.append(memory.proportional() + memory.proportional(trainer.pid))
    assert trainer.pid
    peak = memory.peak(trainer.pid)
    long.cancel()
    await asyncio.gather(long, return_exceptions=True)
    await trainer.close()
    return {"rest": rest, "both": max(both), "peak": peak, "cold": cold, "step": warm.seconds / warm.steps}


if __name__ == "__main__":
    context = ssl.create_default_context()  # an agent with TLS has one
    assert serve and context
    print(json.dumps(asyncio.run(measure(Path(sys.argv[1]), sys.argv[2]))))
