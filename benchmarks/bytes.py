"""What a model of 1 MB costs in bytes over a bad link, both ways, with resets, with reboots of the device, and with both.

    python -m benchmarks.bytes

A link of 125 kB/s each way and 40 ms there and back, between a device, which is a process, and its home's broker. Counted is
every byte of TCP payload that crossed it from the device's first connection to the end of the run, over those of the model.
Ends with 1 where Mosquitto is over the bar; amqtt, which loses what is on its way at every reconnect, has none.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.kit.carriage import BAD, DIALECTS, SLOW, THRICE, carry

MOST = 1.1
CASES = {
    "undisturbed": (SLOW, (), ()),
    "resets every 6 s": (BAD, (), ()),
    "three reboots each way": (SLOW, THRICE, THRICE),
    "both": (BAD, THRICE, THRICE),
    "resets, one reboot at 20 %": (BAD, THRICE[:1], THRICE[:1]),
    "resets, one reboot at 50 %": (BAD, THRICE[1:2], THRICE[1:2]),
    "resets, one reboot at 80 %": (BAD, THRICE[2:], THRICE[2:]),
}


async def main() -> int:
    """Measures and says so."""
    over = False
    for dialect in DIALECTS:
        for name, (shape, down, up) in CASES.items():
            with tempfile.TemporaryDirectory() as folder:
                began = time.monotonic()
                carried = await carry(Path(folder), dialect, shape, down, up)
                seconds = time.monotonic() - began
            ratios = carried.ratios
            over = over or (dialect != "amqtt" and max(ratios) > MOST)
            figures = f"down {ratios[0]:.3f}   up {ratios[1]:.3f}   {carried.connections:2} connections   {seconds:3.0f} s"
            print(f"{dialect:<6} {name:<28} {figures}", flush=True)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
