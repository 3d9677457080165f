"""What 16 updates take where a round waits for all of them, and where it waits for nobody: `python -m benchmarks.asynchrony`.

The two scenarios of docs/examples/fleet, on virtual time: 16 devices whose jobs take 100, 200 or 400 seconds, with 5 s on the
way. NVIDIA FLARE has published such a comparison (examples/advanced/edge, 2.7: 82 and 45 minutes); 408.4 and 238.3 s are what
its example comes to for 16 updates.
"""

import json
from pathlib import Path

from folkmoot.simulate.scenario import document
from folkmoot.simulate.scenario.play import play

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "examples" / "fleet"
PUBLISHED = {"synchronous": 408.4, "asynchronous": 238.3}  # s


def pace(name: str) -> float:
    """Gives the seconds of 16 updates, once a scenario goes evenly: the first tenth of its rounds does not count."""
    rounds = play(document.load(FOLDER / f"{name}.toml"), 2).rounds
    first, counted = rounds[len(rounds) // 10 - 1], rounds[len(rounds) // 10 :]
    return 16 * (counted[-1].closed_s - first.closed_s) / sum(one.merged for one in counted)


if __name__ == "__main__":
    found = {name: pace(name) for name in PUBLISHED}
    off = {f"{name}_off": 100 * abs(seconds / PUBLISHED[name] - 1) for name, seconds in found.items()}
    print(json.dumps({**found, **off}))
