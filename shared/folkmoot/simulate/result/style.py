"""How the pictures of a report look: colours, patterns, names and numbers, and figures as bytes that are the same each time."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from folkmoot.simulate.result.names import LEGEND, shown

# Okabe and Ito's palette, which people with any kind of colour vision tell apart; the dark ones first, for paper.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
PALE = "#B8B8B8"
# A second mark beside the colour, as patterns are: a print without colours still tells runs apart.
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))

WIDTH = 7.2  # inches of a figure
_LOOK: dict[str, Any] = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.labelsize": 10,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "legend.columnspacing": 1.3,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handletextpad": 0.5,
    "lines.linewidth": 1.7,
    "svg.fonttype": "path",  # a reader may not have the font
    "svg.hashsalt": "folkmoot",
}

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def look() -> Iterator[None]:
    """Holds while something is drawn or saved: matplotlib's own defaults and ours, whatever a person has set at home."""
    with matplotlib.style.context(["default", _LOOK]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in a script that the font does not have
        yield


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Gives a function that draws in this look."""

    @wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with look():
            return draw(*args, **kwargs)

    return inner


def save(figure: Figure, form: str = "svg") -> bytes:
    """Gives a figure as `svg` or `png`: the same figure, the same bytes."""
    file = io.BytesIO()
    with look():
        # The library's version would be in it too, and says nothing to a reader.
        facts = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(file, format=form, dpi=110, metadata=facts)
    return file.getvalue()


def pen(place: int) -> dict[str, Any]:
    """Gives colour and dashes of the run at a place: 42 runs have each their own."""
    return {"color": PALETTE[place % len(PALETTE)], "linestyle": DASHES[place % len(DASHES)]}


def panels(titles: Sequence[str], height: float) -> tuple[Figure, list[Axes]]:
    """Gives a figure with a panel for each title, one below the other; an empty title is none.

    `height` is a panel's, in inches.
    """
    figure = Figure(figsize=(WIDTH, height * len(titles)))
    axes = list(figure.subplots(len(titles), 1, squeeze=False)[:, 0])
    for one, title in zip(axes, titles, strict=True):
        one.set_title(shown(title, LEGEND), loc="left", fontsize=10)
    return figure, axes


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the things that are stacked, with its height in each round."""

    label: str
    colour: str
    hatch: str  # matplotlib's
    heights: Sequence[float]


def stack(axes: Axes, rounds: range, layers: Sequence[Layer]) -> dict[str, Patch]:
    """Draws layers from the bottom up, as steps one round wide; gives what a legend shows, by label."""
    edges = [number - 0.5 for number in (*rounds, rounds.stop)]
    floor: list[float] = [0] * len(rounds)
    parts: dict[str, Patch] = {}
    for one in layers:
        top = [low + high for low, high in zip(floor, one.heights, strict=True)]
        parts[one.label] = axes.stairs(
            *(top, edges), baseline=floor, fill=True, facecolor=one.colour, edgecolor="white", hatch=one.hatch, linewidth=0.4
        )
        floor = top
    axes.set_xlim(edges[0], edges[-1])
    count(axes, across="round")
    return parts


def count(axes: Axes, *, across: str = "", up: str = "") -> None:
    """Labels axes that count: their ticks are whole, with separators."""
    for axis, label in ((axes.xaxis, across), (axes.yaxis, up)):
        if label:
            axis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axis.set_label_text(label)
