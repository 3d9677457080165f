"""How a run is shown while it goes: a line for each round that is over, and a bar for the one that is open."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from folkmoot_cli import output
from folkmoot_cli.api import Json
from folkmoot_cli.watch import Lost, Round, Run, Update

# Fates worth a word only where somebody met them, in the order of the line.
SELDOM = ("late", "refused", "rejected", "silent")


def line(record: Json, rounds: int) -> str:
    """Gives a round's record as one line: `[ROUND 3/10] selected 12 -> accepted 11, late 1, 412 kB, 0.8 s, loss 0.190`."""
    tally = record["devices"]
    parts = [f"accepted {tally['answered']}", *_seldom(tally), f"{output.size(record['bytes_up'])}"]
    if record["seconds"] is not None:
        parts.append(f"{record['seconds']:.1f} s")
    parts += quality(record["evaluation"])
    if record["outcome"] not in ("complete", None):
        parts.append(f"{record['outcome']} ({record['reason']})")
    return f"[ROUND {record['number']}/{rounds}] selected {tally['asked']} -> {', '.join(parts)}"


def quality(evaluation: Json | None) -> list[str]:
    """Gives what is known of how good a model is."""
    known = evaluation or {}
    return [f"{name} {known[name]:.3f}" for name in ("loss", "accuracy") if known.get(name) is not None]


def _seldom(tally: Json) -> list[str]:
    return [f"{fate} {tally[fate]}" for fate in SELDOM if tally[fate]]


class Progress:
    """Shows updates of one run as they come; use it in a `with`."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        """Bars go to `console`, if it is a terminal; a round's line too, or as JSON to standard output."""
        self._as_json = as_json
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._console = console
        self._bar: TaskID | None = None
        self._number = 0  # of the round whose bar is shown
        self._waiting: dict[int, Json] = {}  # rounds that are over and whose model is not evaluated yet
        self._told: set[int] = set()
        self._run: Json = {}
        self._last: list[str] = []  # how good the newest evaluated model is
        self._lost = False

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number in sorted(self._waiting):
            self._tell(self._waiting[number])
        self._bars.stop()

    def show(self, update: Update) -> None:
        """Shows what has changed."""
        match update:
            case Lost(reason):
                if not self._lost:
                    self._console.print(f"{reason}; trying again")
                self._lost = True
                return
            case Round(record, run):
                self._run = run
                self._show_round(record)
            case Run(record):
                self._show_run(record)
        self._lost = False

    def _show_round(self, record: Json) -> None:
        number = record["number"]
        if record["status"] == "open":
            self._draw(record)
            return
        self._last = quality(record["evaluation"]) or self._last
        if number not in self._told:
            self._waiting[number] = record
            self._tell_in_order()
        if number == self._number:
            self._draw(record)

    def _tell_in_order(self) -> None:
        """Says of every round that is over how it went, once it is known how good its model is, or that nobody will know."""
        newest = max(self._waiting)
        for number, record in sorted(self._waiting.items()):
            judged = record["evaluation"] is not None or record["model"] is None or not self._run["evaluate"]
            # The members of the next round evaluate it, so that one over, it is too late.
            if not judged and newest < number + 2:
                return
            self._tell(record)

    def _show_run(self, record: Json) -> None:
        news = (record["status"], record["reason"], record["desired"]) != tuple(
            self._run.get(name) for name in ("status", "reason", "desired")
        )
        self._run = record
        if record["status"] == "finished":
            for number in sorted(self._waiting):
                self._tell(self._waiting[number])
            self._drop()
            ending = f"the run is over: {record['outcome']}" + (f" ({record['reason']})" if record["reason"] else "")
            if self._as_json:
                output.document({"kind": "run", **record})
            self._console.print(", ".join([ending, *quality(record["after"])]))
        elif news and record["reason"]:
            self._console.print(f"the run is {record['status']}: {record['reason']}")
        elif news and record["status"] == "paused":
            self._console.print("the run is paused: `folkmoot run resume` goes on with it")

    def _tell(self, record: Json) -> None:
        """Says once how a round went."""
        del self._waiting[record["number"]]
        self._told.add(record["number"])
        if self._as_json:
            output.document({"kind": "round", **record})
        self._console.print(line(record, self._run["rounds"]), markup=False)

    def _draw(self, record: Json) -> None:
        tally = record["devices"]
        heard = tally["asked"] - tally["waiting"]
        figures = [f"accepted {tally['answered']}", *_seldom(tally), str(output.size(record["bytes_up"])), *self._last]
        if self._bar is None or record["number"] != self._number:
            self._drop()
            self._number = record["number"]
            self._bar = self._bars.add_task(f"round {self._number}/{self._run['rounds']}", total=None, figures="")
        self._bars.update(self._bar, total=max(1, tally["asked"]), completed=heard, figures=", ".join(figures))

    def _drop(self) -> None:
        if self._bar is not None:
            self._bars.remove_task(self._bar)
            self._bar = None
