"""What cloud and gateways hold, and whether anything is lost or counted twice, while hundreds of devices come and go.

    python -m benchmarks.soak
    python -m benchmarks.soak --devices 100 --minutes 3

Devices are the fleet simulator's, in processes of 25 that are killed or say goodbye and come back, every five seconds another
one; each really trains `digits-mlp`. Four homes, a Mosquitto for each and one for the cloud, SQLite; run after run of ten
rounds of 8 s at most; one gateway is killed, another one started again in order. Then all come back, and everybody must be in a
round.

Ends with 1 where memory, files, sockets or threads have not levelled off; what is wrong with the record ends it at once. Its
folder is then kept.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak import scale
from tests.soak.soak import soak

MODELS = 40  # made again: half a minute


def main() -> int:
    """Measures and says so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__, formatter_class=_AS_IT_IS)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--models", type=int, default=MODELS, help="how many models are made again from the record")
    told = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        found = soak(folder, scale.long(told.devices, told.minutes), lambda line: print(line, flush=True), told.models)
    except BaseException:
        print(f"kept in {folder}", flush=True)
        raise
    shutil.rmtree(folder)
    print(*found.lines(), *found.complaints(), sep="\n")
    return 1 if found.complaints() else 0


_AS_IT_IS = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    sys.exit(main())
