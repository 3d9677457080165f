"""Pictures of the results, as SVG: how many times better than each peer, and how a simulation grows."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from benchmarks.race import Judged, judge
from benchmarks.results import OURS, Result
from benchmarks.table import RACES, ROWS
from folkmoot.simulate.result import style

Sessions = Mapping[str, Sequence[Result]]
MARKS = {"flower": ("o", style.BLUE, "Flower"), "nvflare": ("s", style.GREEN, "FLARE"), "pfl": ("^", style.ORANGE, "pfl")}
LINE = 0.3  # inches of a row


def names(found: Sessions) -> list[str]:
    """Gives the files that there is something to draw in."""
    return ["times.svg"] * bool(_compared(found)) + ["scale.svg"] * bool(_grown(found))


def draw(found: Sessions) -> dict[str, bytes]:
    """Gives those files."""
    drawn = {"times.svg": times, "scale.svg": scale}
    return {name: style.save(drawn[name](found)) for name in names(found)}


def _compared(found: Sessions) -> list[Judged]:
    judged = [judge(row, found.get(row.race, ())) for row in ROWS]
    return [one for one in judged if one.times]


def _grown(found: Sessions) -> Mapping[str, float]:
    ours = [result.figures for result in found.get("scale", ()) if result.side == OURS and not result.failed]
    return ours[-1] if ours else {}


@style.styled
def times(found: Sessions) -> Figure:
    """Draws the factor of every row that has a peer's figure beside it."""
    titles = {race.name: race.title for race in RACES}
    shown = _compared(found)[::-1]
    figure = Figure(figsize=(style.WIDTH + 2.5, 1 + LINE * len(shown)))
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.axvline(1, color=style.BLACK, linewidth=1)
    for place, one in enumerate(shown):
        for peer, factor in one.times.items():
            mark, colour, _ = MARKS[peer]
            # A figure that is worse than a peer's is hollow, which shows without colours too.
            axes.plot(factor, place, mark, color=colour, markerfacecolor="white" if factor < 1 else colour)
    axes.set_yticks(range(len(shown)), [_label(one, titles) for one in shown])
    axes.set_xlabel("times better than the peer; left of the line the peer is better")
    peers = {peer for one in shown for peer in one.times}
    for peer, (mark, colour, name) in MARKS.items():
        if peer in peers:
            axes.plot([], [], mark, color=colour, label=name)
    axes.legend(loc="best")
    return figure


def _label(judged: Judged, titles: Mapping[str, str]) -> str:
    return f"{titles[judged.row.race]}: {judged.row.what}"


@style.styled
def scale(found: Sessions) -> Figure:
    """Draws seconds and memory of simulations of several sizes."""
    figures = _grown(found)
    sizes = sorted(int(name.removeprefix("seconds_")) for name in figures if name.startswith("seconds_"))
    drawn = Figure(figsize=(style.WIDTH, 2.6))
    for axes, name, label in zip(drawn.subplots(1, 2), ("seconds", "mib"), ("seconds of 10 rounds", "MiB"), strict=True):
        axes.loglog(sizes, [figures[f"{name}_{size}"] for size in sizes], "o-", color=style.BLUE)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel("devices")
        axes.set_ylabel(label)
    return drawn
