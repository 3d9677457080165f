"""What a device's agent at rest takes: resident memory, connected over TLS with a certificate. `python -m benchmarks.agent`."""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Arrived
from folkmoot.wire import codec
from folkmoot.wire.messages import Status
from tests.kit.broker import HOME, secure
from tests.kit.ear import join


async def up(gateway: Endpoint) -> None:
    """Waits until the device has said that it is up."""
    link, ear = join(gateway, HOME, f"fl/v1/h/{HOME}/+/status")
    await ear.next(Arrived, lambda event: isinstance(codec.unseal(event.payload, limit=1 << 20).body, Status))
    link.stop()
    await link.stopped()


def resident(pid: int) -> float:
    """Gives the MiB of resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def measure(folder: Path) -> float:
    """Gives the MiB of one agent that has just connected and has nothing to do."""
    with secure(folder) as broker:
        device = broker.device("d1")
        assert device.tls is not None
        file = folder / "device.toml"
        tls = "".join(f'{name} = "{getattr(device.tls, name)}"\n' for name in ("ca", "certificate", "key"))
        file.write_text(
            f'id = "d1"\ngateway = "{HOME}"\nfolder = "{folder / "d1"}"\n'
            f'[examples]\ncontract = "digits-8x8"\n[home]\nport = {device.port}\n{tls}'
        )
        agent = subprocess.Popen([sys.executable, "-m", "folkmoot_device", "--config", file])
        try:
            asyncio.run(up(broker.gateway()))
            return resident(agent.pid)
        finally:
            agent.terminate()
            agent.wait()


if __name__ == "__main__":
    found = 0.0
    for _ in range(2):  # the first one may still compile, which takes 6 MiB more
        with tempfile.TemporaryDirectory() as made:
            found = measure(Path(made))
    print(json.dumps({"rest_mib": found}))
