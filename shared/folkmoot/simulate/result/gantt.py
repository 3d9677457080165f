"""One round as a Gantt chart: when each of its devices was asked, trained and answered."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from folkmoot.simulate.result.names import LEGEND, labels, shown
from folkmoot.simulate.result.style import BLUE, ORANGE, VERMILION, WIDTH, styled
from folkmoot.simulate.result.tables import Member, Result, Round

MOST = 60  # devices of a chart: more cannot be read
_ROW = 0.15  # inches
# The stretches of a device's round: from when to when, what it is, its colour and pattern.
_STRETCHES = (
    ("asked_s", "started_s", "waits", "#D9D9D9", ""),
    ("started_s", "trained_s", "trains", BLUE, ""),
    ("trained_s", "answered_s", "answers", ORANGE, "////"),
)


def choose(result: Result, number: int | None = None) -> Round | None:
    """Gives the round of a number, without one the last that is complete, else the last of all; None where nobody was asked."""
    asked = {one.round for one in result.members if one.asked_s is not None}
    there = [one for one in result.rounds if one.number in asked and (number is None or one.number == number)]
    complete = [one for one in there if one.outcome == "complete"]
    return next(reversed(complete or there), None)


def rows(result: Result, number: int) -> tuple[list[Member], int]:
    """Gives at most MOST devices of a round, evenly chosen by when they answered, and how many there are.

    Those that never answered come last, by when they were asked.
    """
    members = [one for one in result.members if one.round == number and one.asked_s is not None]
    members.sort(key=lambda one: (one.answered_s is None, one.answered_s or 0.0, one.asked_s, one.device))
    if len(members) <= MOST:
        return members, len(members)
    return [members[place * (len(members) - 1) // (MOST - 1)] for place in range(MOST)], len(members)


@styled
def gantt(results: Sequence[Result], number: int | None = None) -> Figure | None:
    """Draws a round of each result (see `choose`), one below the other; None where there is none."""
    drawn = [
        (result, label, one) for result, label in zip(results, labels(results), strict=True) if (one := choose(result, number))
    ]
    if not drawn:
        return None
    heights = [max(1.6, _ROW * len(rows(result, one.number)[0]) + 0.9) for result, _, one in drawn]
    figure = Figure(figsize=(WIDTH + 1.6, sum(heights) + 0.4))
    axes = figure.subplots(len(drawn), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (result, label, one) in zip(axes, drawn, strict=True):
        _chart(part, result, one)
        if len(results) > 1:
            part.set_title(shown(f"{label}: round {one.number}", LEGEND), loc="left", fontsize=10)
    keys: list[Patch | Line2D] = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=name) for _, _, name, colour, hatch in _STRETCHES
    ]
    keys += [
        Line2D([], [], color="#666666", linestyle=":", label="no answer"),
        Line2D([], [], color=VERMILION, linestyle="--", label="round closed"),
    ]
    figure.legend(handles=keys, loc="outside upper center", ncols=len(keys))
    return figure


def _chart(axes: Axes, result: Result, one: Round) -> None:
    """Draws a round, with seconds from when it was opened."""
    members, _ = rows(result, one.number)
    for place, member in enumerate(members):
        asked = member.asked_s or 0.0
        ended = member.answered_s is not None
        last = member.answered_s if member.answered_s is not None else max(one.closed_s, asked)
        axes.hlines(
            place, asked - one.opened_s, last - one.opened_s, color="#666666", linestyle="-" if ended else ":", linewidth=1
        )
        if member.fate:
            text = shown(member.fate)
            axes.annotate(text, (last - one.opened_s, place), (4, 0), textcoords="offset points", fontsize=6.5, va="center")
    for start, end, _, colour, hatch in _STRETCHES:
        spans = [(getattr(member, start), getattr(member, end), place) for place, member in enumerate(members)]
        known = [(begin - one.opened_s, stop - begin, place) for begin, stop, place in spans if None not in (begin, stop)]
        if known:
            lefts, widths, places = zip(*known, strict=True)
            axes.barh(places, widths, 0.72, lefts, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3, zorder=2)
    axes.axvline(one.closed_s - one.opened_s, color=VERMILION, linestyle="--", linewidth=1, zorder=1)
    axes.set_yticks(range(len(members)), [shown(member.device) for member in members], fontsize=6.5)
    axes.set_ylim(len(members) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds since the round was opened")


def note(results: Sequence[Result], number: int | None = None) -> str:
    """Says which rounds are drawn, and how many of their devices."""
    told = []
    for result, label in zip(results, labels(results), strict=True):
        if one := choose(result, number):
            members, all_ = rows(result, one.number)
            name = f"{label}: r" if len(results) > 1 else "R"
            which = f"{len(members)} of the {all_:,} devices asked, chosen evenly by answer time"
            told.append(f"{name}ound {one.number} ({one.outcome}); {which if all_ > MOST else f'all {all_} devices asked'}.")
    return " ".join(told)


def tell(results: Sequence[Result], number: int | None = None) -> str:
    """Gives in words what `gantt` shows."""
    told = []
    for result, label in zip(results, labels(results), strict=True):
        if one := choose(result, number):
            answers = [
                member.answered_s for member in result.members if member.round == one.number and member.answered_s is not None
            ]
            span = (
                f", answers from {min(answers) - one.opened_s:,.4g} s to {max(answers) - one.opened_s:,.4g} s"
                if answers
                else ""
            )
            told.append(f"{label}: round {one.number}, closed {one.closed_s - one.opened_s:,.4g} s after it was opened{span}")
    return f"Gantt chart of one round, a row for each device: it waits, trains, answers. {'; '.join(told)}."
