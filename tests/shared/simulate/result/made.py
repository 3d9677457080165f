"""Results as a simulated run would leave them behind: of any number, or like a real one of some homes."""

import math
import random

from hypothesis import strategies as st

from folkmoot.simulate.result.tables import Device, Member, Result, Round

_whole = st.integers(-(2**63), 2**63 - 1)
_real = st.floats(allow_nan=False)  # NaN is not equal to itself
_maybe = st.none() | _real
_text = st.text(max_size=20)
_scalar = _text | _whole | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none()

_KINDS = {str: _text, int: _whole, float: _real, float | None: _maybe}

results = st.builds(
    Result,
    _text,
    _whole,
    st.dictionaries(_text, _scalar, max_size=5),
    st.lists(st.builds(Round, **{name: _KINDS[kind] for name, kind in Round.__annotations__.items()}), max_size=4),
    st.lists(st.builds(Member, **{name: _KINDS[kind] for name, kind in Member.__annotations__.items()}), max_size=4),
    st.lists(st.builds(Device, **{name: _KINDS[kind] for name, kind in Device.__annotations__.items()}), max_size=4),
)

EMPTY = Result("nothing", 1, {}, [], [], [])


def lifelike(name: str = "evening", seed: int = 1, *, devices: int = 200, homes: int = 10, rounds: int = 30) -> Result:
    """Gives a result like that of a real run: slow devices are late, some homes are away, and the model learns."""
    draw = random.Random(seed)
    fleet = [_Maker(f"device-{one:03}", f"home-{one % homes:02}", draw) for one in range(devices)]
    found, members = [], []
    now, lost = 0.0, 2.3
    for number in range(1, rounds + 1):
        asked = draw.sample(fleet, len(fleet) * 6 // 10)
        each = [maker.member(number, now, draw) for maker in asked]
        ended = now + 60
        merged = [one for one in each if one.fate == ""]
        members += each
        lost = 0.12 + (lost - 0.12) * (0.82 + 0.04 * draw.random())
        share = len(merged) / max(1, len(asked))
        found.append(
            Round(
                *(number, "train", now, ended, "complete" if share > 0.5 else "short", "deadline"),
                *(len(asked), sum(one.answered_s is not None for one in each), len(merged)),
                *(sum(one.bytes_up for one in each), sum(one.bytes_down for one in each), 0, 0, homes * 42_000, homes * 41_000),
                *(9 * len(asked), 3 + len(asked), sum(one.joules for one in each)),
                *(math.exp(-lost) * 0.98 - 0.01 * draw.random(), lost, 60 * len(merged)),
            )
        )
        now = ended + 2 + draw.random()
    facts = {"devices": devices, "events": 1_234_567, "homes": homes, "wall seconds": 12.345, "workers": 2}
    return Result(name, seed, dict(facts), found, members, [maker.device(members) for maker in fleet])


class _Maker:
    """One device: how fast it is, and how often it cannot be reached."""

    def __init__(self, name: str, home: str, draw: random.Random) -> None:
        self.name, self.home = name, home
        self.kind, self.pace = draw.choice([("phone", 8.0), ("pi", 22.0), ("thermostat", 47.0)])
        self.absent = draw.choice([0.02, 0.05, 0.3])

    def member(self, number: int, now: float, draw: random.Random) -> Member:
        """Gives what became of the device in a round that was opened then."""
        asked = now + 0.2 + draw.random()
        started = asked + draw.expovariate(0.5)
        trained = started + self.pace * draw.lognormvariate(0, 0.25)
        answered = trained + draw.expovariate(0.4)
        known = (self.name, self.home, self.kind)
        if draw.random() < self.absent:
            return Member(number, *known, "silent:away", asked, None, None, None, 0, 41_000, 0.4, 60, 0)
        if draw.random() < 0.03:
            return Member(number, *known, "refused:not_ready", asked, None, None, asked + 0.3, 90, 41_000, 0.5, 60, 0)
        if answered > now + 60:
            return Member(number, *known, "late:deadline", asked, started, min(trained, now + 60), None, 0, 41_000, 30.0, 60, 0)
        return Member(number, *known, "", asked, started, trained, answered, 40_500, 41_000, 3 + self.pace * 0.6, 60, number)

    def device(self, members: list[Member]) -> Device:
        """Gives the device over all rounds."""
        own = [one for one in members if one.device == self.name]
        return Device(
            *(self.name, self.home, self.kind, 60, len(own), sum(one.fate == "" for one in own), self.pace * len(own)),
            *(sum(one.joules for one in own), sum(one.bytes_up for one in own), sum(one.bytes_down for one in own)),
            *(3600 * self.absent, len(own) % 3, 0.0, None),
        )
