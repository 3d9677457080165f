"""A report of one result or of several beside one another: one HTML file that holds all it shows, and runs nothing."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from html import escape
from importlib import import_module, resources
from pathlib import Path
from string import Template
from types import ModuleType
from typing import TYPE_CHECKING

from folkmoot.errors import UserFault
from folkmoot.simulate.result.names import labels, plain
from folkmoot.simulate.result.summary import Summary, summarise
from folkmoot.simulate.result.tables import Result, Round, Scalar

if TYPE_CHECKING:
    from folkmoot.simulate.result.plots import Plot

_ABSENT = "–"


def _number(value: float | None, form: str = ",.4g", unit: str = "") -> str:
    return _ABSENT if value is None else f"{value:{form}}{unit}"


def _seconds(value: float | None) -> str:
    """Gives seconds, and what they are in hours and minutes where there are many."""
    if value is None or not 120 <= value < 1e12:
        return _number(value, ",.1f", " s")
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{value:,.1f} s ({f'{hours:,} h {minutes} min' if hours else f'{minutes} min {seconds} s'})"


_KEYS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("rounds (complete)", lambda one: f"{one.rounds:,} ({one.complete:,})"),
    ("simulated time", lambda one: _seconds(one.seconds)),
    ("final accuracy", lambda one: _number(one.accuracy, ".4f")),
    ("final loss", lambda one: _number(one.loss)),
    ("time to 80 % of the final accuracy", lambda one: _seconds(one.to_80)),
    ("time to 90 % of the final accuracy", lambda one: _seconds(one.to_90)),
    ("bytes on all hops", lambda one: _number(one.bytes / 1e6, ",.2f", " MB")),
    ("messages", lambda one: f"{one.messages:,}"),
    ("energy of the devices", lambda one: _number(one.joules, ",.1f", " J")),
    ("devices never merged", lambda one: f"{one.never:,} of {one.devices:,}"),
    ("Jain's fairness index", lambda one: _number(one.fairness, ".3f")),
)

_COLUMNS: tuple[tuple[str, Callable[[Round], str]], ...] = (
    ("closed (s)", lambda one: f"{one.closed_s:,.1f}"),
    ("asked", lambda one: f"{one.asked:,}"),
    ("answered", lambda one: f"{one.answered:,}"),
    ("merged", lambda one: f"{one.merged:,}"),
    ("MB", lambda one: f"{one.bytes / 1e6:,.3f}"),
    ("J", lambda one: f"{one.joules:,.1f}"),
    ("accuracy", lambda one: _number(one.accuracy, ".4f")),
    ("loss", lambda one: _number(one.loss)),
)


def check() -> None:
    """Says before a long run whether a report can be drawn after it. Raises UserFault without matplotlib."""
    _module("plots")


def write(results: Sequence[Result], path: Path) -> None:
    """Writes the report of results into a file, whole or not at all. Raises UserFault as `render` does, and where it cannot."""
    text = render(results)
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, "utf-8", newline="\n")
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise UserFault(f"{path} cannot be written: {error.strerror or error}") from None


def render(results: Sequence[Result]) -> str:
    """Gives the page: key figures, pictures, and the rounds as tables. Equal results give equal pages.

    Several results share each picture. Raises UserFault without any, and without matplotlib.
    """
    if not results:
        raise UserFault("a report needs a result: name the folder of at least one")
    names = labels(results)
    title = f"Simulated run: {names[0]}" if len(results) == 1 else f"{len(results)} simulated runs: {', '.join(names)}"
    page = Template((resources.files(__package__) / "page.html").read_text("utf-8"))
    return page.substitute(
        title=_text(title),
        figures=_figures(results, names),
        pictures="\n".join(_picture(plot, results) for plot in _module("plots").PLOTS),
        rounds="\n".join(_rounds(result, name) for result, name in zip(results, names, strict=True)),
    )


def _figures(results: Sequence[Result], names: Sequence[str]) -> str:
    """Gives the table of what was run and what came of it: a column for each result."""
    facts = list(dict.fromkeys(key for result in results for key in result.facts))
    summaries = [summarise(result) for result in results]
    rows = [("scenario", [result.name for result in results]), ("seed", [str(result.seed) for result in results])]
    rows += [(fact, [_scalar(result.facts.get(fact)) for result in results]) for fact in facts]
    rows += [(label, [told(one) for one in summaries]) for label, told in _KEYS]
    heading = "<td></td>" + "".join(f'<th scope="col">{_text(name)}</th>' for name in names)
    body = "\n".join(
        f'<tr><th scope="row">{_text(label)}</th>{"".join(f"<td>{_text(value)}</td>" for value in values)}</tr>'
        for label, values in rows
    )
    top = f"<thead><tr>{heading}</tr></thead>\n" if len(results) > 1 else ""
    return f"<table>\n<caption>What was run, and what came of it</caption>\n{top}<tbody>\n{body}\n</tbody>\n</table>"


def _picture(plot: "Plot", results: Sequence[Result]) -> str:
    """Gives a section with a picture, or with the sentence in its place."""
    figure = plot.draw(results)
    heading = f"<h2>{_text(plot.title)}</h2>"
    if figure is None:
        return f"<section>\n{heading}\n<p>Not drawn: {_text(plot.absent)}</p>\n</section>"
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    # As a picture of its own: its ids are not those of the others, and a browser runs nothing in it.
    data = b64encode(_module("style").save(figure)).decode()
    image = f'<img width="{width}" height="{height}" alt="{_text(plot.tell(results))}" src="data:image/svg+xml;base64,{data}">'
    note = plot.note(results)
    caption = f"\n<figcaption>{_text(note)}</figcaption>" if note else ""
    shape = ' class="tall"' if height > width else ""
    return f"<section{shape}>\n{heading}\n<figure>\n{image}{caption}\n</figure>\n</section>"


def _rounds(result: Result, name: str) -> str:
    """Gives the rounds of a result as a table that is folded away: the numbers behind the pictures."""
    cells = ("number", "outcome", *(label for label, _ in _COLUMNS))
    heading = "".join(f'<th scope="col">{_text(label)}</th>' for label in cells)
    body = "\n".join(
        f'<tr><th scope="row">{one.number}</th><td class="word">{_text(_outcome(one))}</td>'
        + "".join(f"<td>{told(one)}</td>" for _, told in _COLUMNS)
        + "</tr>"
        for one in result.rounds
    )
    summary = f"<summary>The rounds of {_text(name)}, in numbers</summary>"
    table = f"<table>\n<thead><tr>{heading}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<details>\n{summary}\n<div class="wide">\n{table}\n</div>\n</details>'


def _outcome(one: Round) -> str:
    return f"{one.outcome} ({one.reason})" if one.reason else one.outcome


def _scalar(value: Scalar) -> str:
    """Gives a fact as a reader wants it: numbers with separators, yes and no."""
    if value is None:
        return _ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}" if isinstance(value, float) else value


def _text(text: str) -> str:
    """Gives a text as HTML, in an element or an attribute."""
    return escape(plain(text))


def _module(name: str) -> ModuleType:
    """Gives a module of pictures. Raises UserFault without matplotlib."""
    try:
        return import_module(f"folkmoot.simulate.result.{name}")
    except ImportError as error:
        raise UserFault(f"a report needs matplotlib ({error}): pip install 'folkmoot[simulate]'") from None
