"""How many calls of Python a simulated client-round takes, and where: a figure that no other load on the machine changes.

    python -m benchmarks.calls

100 devices in ten homes train `digits-mlp` once, all in one process; the difference of twelve rounds and two.
"""

import cProfile
import pstats
from collections import Counter
from pathlib import Path

from folkmoot.simulate.scenario.document import Fleet, Scenario
from folkmoot.simulate.scenario.play import play

FEW, MANY, DEVICES, HOMES = 2, 12, 100, 10
ROOT = str(Path(__file__).resolve().parents[1])
OWN = ("folkmoot", "folkmoot_cloud", "folkmoot_gateway", "folkmoot_device")


def profile(rounds: int) -> pstats.Stats:
    """Plays a scenario of so many rounds."""
    scenario = Scenario(fleet=Fleet(homes=HOMES, devices=DEVICES), run={"rounds": rounds, "plan": {"epochs": 1}})
    profiler = cProfile.Profile()
    profiler.enable()
    play(scenario, 0)
    profiler.disable()
    return pstats.Stats(profiler)


def place(file: str, name: str) -> str:
    """Gives what a function is a part of: a package of ours, or a library."""
    parts = Path(file).parts
    if file.startswith(ROOT) and "site-packages" not in parts:
        own = next((at for at, part in enumerate(parts) if part in OWN), None)
        if own is not None:
            return "/".join(parts[own : own + 2])
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    library = next((one for one in ("tflite_runtime", "ai_edge_litert", "cbor2", "numpy", "msgspec") if one in name), "")
    return library or "Python"


def main() -> None:
    """Prints calls and share of the time of each part."""
    profile(1)  # whatever is imported or remembered once, is by then
    few, many = profile(FEW), profile(MANY)
    calls: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for number, sign in ((few, -1), (many, 1)):
        for (file, _, name), (_, count, own, _, _) in number.stats.items():  # type: ignore[attr-defined]
            calls[place(file, name)] += sign * count
            times[place(file, name)] += sign * own
    rounds = (MANY - FEW) * DEVICES
    whole = sum(times.values())
    for part, spent in times.most_common(20):
        print(f"{part:<32} {calls[part] / rounds:8.0f} calls   {spent / whole:6.1%} of the time")
    print(f"{'a client-round':<32} {sum(calls.values()) / rounds:8.0f} calls")


if __name__ == "__main__":
    main()
