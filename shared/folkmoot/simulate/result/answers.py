"""Who took part in a run: how often each device was merged, and what became of those that were asked."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from folkmoot.simulate.result.names import LEGEND, labels, shown
from folkmoot.simulate.result.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH,
    Layer,
    count,
    panels,
    pen,
    stack,
    styled,
)
from folkmoot.simulate.result.summary import jain
from folkmoot.simulate.result.tables import Result

MERGED, OTHER = "merged", "other"
# Colour and pattern of the fates of the cloud's record, from the bottom up; whatever else there is shares the last.
FATES = {
    MERGED: (BLUE, ""),
    "answered": (SKY, "..."),
    "late": (ORANGE, "///"),
    "refused": (GREEN, "xxx"),
    "rejected": (VERMILION, "\\\\\\"),
    "retracted": (PURPLE, "+++"),
    "silent": (PALE, ""),
    OTHER: (BLACK, ""),
}


@styled
def participation(results: Sequence[Result]) -> Figure | None:
    """Draws in how many rounds each device was merged, from the least to the most; None without devices."""
    if not any(result.devices for result in results):
        return None
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    drawn: list[Patch] = []
    names: list[str] = []
    for place, (result, label) in enumerate(zip(results, labels(results), strict=True)):
        if merged := sorted(one.merged for one in result.devices):
            edges = [100 * one / len(merged) for one in range(len(merged) + 1)]
            alone = len(results) == 1
            drawn.append(axes.stairs(merged, edges, baseline=0 if alone else None, fill=alone, linewidth=1.7, **pen(place)))
            names.append(shown(label, LEGEND))
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    count(axes, up="rounds merged in")
    axes.xaxis.set_major_formatter(PercentFormatter())
    axes.set_xlabel("devices, from the least often merged to the most often")
    if len(results) > 1:
        axes.legend(drawn, names, loc="upper left")
    return figure


def fairness(results: Sequence[Result]) -> str:
    """Gives Jain's index of each result in a sentence."""
    told = []
    for result, label in zip(results, labels(results), strict=True):
        merged = [one.merged for one in result.devices]
        index = jain(merged)
        name = f"{label}: " if len(results) > 1 else ""
        value = "undefined, for nobody was merged" if index is None else f"{index:.3f}"
        told.append(f"{name}{value} ({merged.count(0):,} of {len(merged):,} devices never merged)")
    return f"Jain's fairness index (Jain, Chiu, Hawe 1984), 1 where all devices were merged equally often: {'; '.join(told)}."


def tell_participation(results: Sequence[Result]) -> str:
    """Gives in words what `participation` shows."""
    told = []
    for result, label in zip(results, labels(results), strict=True):
        if merged := sorted(one.merged for one in result.devices):
            told.append(f"{label}: from {merged[0]} to {merged[-1]}, half of the devices in {merged[len(merged) // 2]} or more")
    return f"Step chart of the rounds that each device was merged in, sorted. {'; '.join(told)}."


@styled
def fates(results: Sequence[Result]) -> Figure | None:
    """Draws the devices of each round by what became of them, stacked; None where no device was asked."""
    drawn = [(result, label) for result, label in zip(results, labels(results), strict=True) if result.members]
    if not drawn:
        return None
    figure, axes = panels([label if len(results) > 1 else "" for _, label in drawn], 3.3)
    parts: dict[str, Patch] = {}
    for one, (result, _) in zip(axes, drawn, strict=True):
        rounds, counts = tally(result)
        layers = [Layer(fate, *FATES[fate], counts[fate]) for fate in counts]
        parts |= stack(one, rounds, layers)
        count(one, up="devices asked")
    shared = [fate for fate in FATES if fate in parts]
    figure.legend([parts[fate] for fate in shared], shared, loc="outside upper center", ncols=len(shared))
    return figure


def tally(result: Result) -> tuple[range, dict[str, list[int]]]:
    """Gives the rounds from the first to the last with members, and for each fate that there is its devices in each of them."""
    found = Counter((one.round, group(one.fate)) for one in result.members)
    numbers = {number for number, _ in found}
    rounds = range(min(numbers), max(numbers) + 1)
    there = {fate for _, fate in found}
    return rounds, {fate: [found[number, fate] for number in rounds] for fate in FATES if fate in there}


def group(fate: str) -> str:
    """Gives the word that a fate is counted under: what stands before its reason."""
    word = fate.partition(":")[0] or MERGED
    return word if word in FATES else OTHER


def tell_fates(results: Sequence[Result]) -> str:
    """Gives in words what `fates` shows."""
    told = []
    for result, label in zip(results, labels(results), strict=True):
        found = Counter(group(one.fate) for one in result.members)
        told.append(f"{label}: {', '.join(f'{found[fate]:,} {fate}' for fate in FATES if found[fate]) or 'nobody asked'}")
    return f"Stacked chart of the devices asked in each round by what became of them. In all rounds, {'; '.join(told)}."


def others(results: Sequence[Result]) -> str:
    """Gives the fates that `fates` counts as other, in a sentence; empty where there are none."""
    found = Counter(one.fate for result in results for one in result.members if group(one.fate) == OTHER)
    words = ", ".join(
        f"{fate} ({number:,})" for fate, number in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:8]
    )
    return f"Other: {words}." if words else ""
