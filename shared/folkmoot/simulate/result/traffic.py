"""The bytes of a run, by the hop that they went over."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from folkmoot.simulate.result.names import labels
from folkmoot.simulate.result.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, Layer, panels, stack, styled
from folkmoot.simulate.result.tables import Result

# What is stacked, from the bottom up: the column, what it is called, its colour and pattern. A hop is a pair of colours.
_HOPS = (
    ("bytes_down_home", "gateway to devices", BLUE, ""),
    ("bytes_up_home", "devices to gateway", SKY, "///"),
    ("bytes_down_between", "gateways to gateways", GREEN, ""),
    ("bytes_up_between", "gateways to gateways above", PURPLE, "///"),
    ("bytes_down_cloud", "cloud to gateways", VERMILION, ""),
    ("bytes_up_cloud", "gateways to cloud", ORANGE, "///"),
)
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@styled
def bytes_by_hop(results: Sequence[Result]) -> Figure | None:
    """Draws the bytes of each round, stacked by hop and direction; None where no bytes were counted."""
    drawn = [(result, label) for result, label in zip(results, labels(results), strict=True) if _counted(result)]
    if not drawn:
        return None
    most = max(one.bytes for result, _ in drawn for one in result.rounds)
    size, unit = next((pair for pair in _UNITS if most >= pair[0]), (1.0, "bytes"))
    figure, axes = panels([label if len(results) > 1 else "" for _, label in drawn], 3.3)
    hops = _hops(results)
    parts: dict[str, Patch] = {}
    for one, (result, _) in zip(axes, drawn, strict=True):
        numbers = [record.number for record in result.rounds]
        rounds = range(min(numbers), max(numbers) + 1)
        layers = [Layer(name, colour, hatch, _heights(result, rounds, column, size)) for column, name, colour, hatch in hops]
        parts = stack(one, rounds, layers)
        one.set_ylim(0, most / size * 1.04)  # the same for all panels
        one.set_ylabel(unit)
    figure.legend(list(parts.values()), list(parts), loc="outside upper center", ncols=len(parts))
    return figure


def _hops(results: Sequence[Result]) -> list[tuple[str, str, str, str]]:
    """Gives the hops that there are: where no regional gateways stand between homes and cloud, two of them are not."""
    rounds = [one for result in results for one in result.rounds]
    return [hop for hop in _HOPS if "between" not in hop[0] or any(getattr(one, hop[0]) for one in rounds)]


def _counted(result: Result) -> bool:
    return any(one.bytes for one in result.rounds)


def _heights(result: Result, rounds: range, column: str, size: float) -> list[float]:
    """Gives a column's bytes in each round, in units of that size."""
    found: dict[int, float] = dict.fromkeys(rounds, 0.0)
    for one in result.rounds:
        found[one.number] += getattr(one, column) / size
    return list(found.values())


def tell(results: Sequence[Result]) -> str:
    """Gives in words what `bytes_by_hop` shows."""
    told = []
    for result, label in zip(results, labels(results), strict=True):
        sums = [(name, sum(getattr(one, column) for one in result.rounds)) for column, name, _, _ in _hops(results)]
        told.append(f"{label}: " + ", ".join(f"{total / 1e6:,.6g} MB {name}" for name, total in sums))
    return f"Stacked chart of the bytes of each round by hop and direction. In all rounds, {'; '.join(told)}."
