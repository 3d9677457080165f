"""docs/benchmarks.md: what people wrote in it, and between two marks what the results make of the table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import pictures, results
from benchmarks.race import Judged, Race, Row, Spread, judge
from benchmarks.results import OURS, Result
from benchmarks.table import RACES, ROWS

FILE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
PICTURES = FILE.with_suffix("")  # a folder
BEGIN = "<!-- What follows is written by `python -m benchmarks --write`, up to the end. -->"
PEERS = {"flower": "Flower", "nvflare": "FLARE", "pfl": "pfl"}

Sessions = Mapping[str, Sequence[Result]]


def number(value: float) -> str:
    """Gives three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{float(f'{value:.3g}'):g}"


def figure(row: Row, value: float) -> str:
    """Gives a figure with its unit."""
    return f"{number(value)} {row.unit}".strip()


def aim(row: Row) -> str:
    """Gives a row's target in words."""
    if row.target is None:
        return ""
    if row.target.of:
        return f"{row.target.value:g} times {PEERS[row.target.of]}"
    return f"{'at least' if row.more else 'at most'} {figure(row, row.target.value)}"


def verdict(judged: Judged) -> str:
    """Gives the word that stands at the end of a row."""
    if OURS not in judged.sides:
        return "**failed**" if OURS in judged.failed else "not measured"
    return {None: "", True: "reached", False: "**missed**"}[judged.held]


def sentence(judged: Judged) -> str:
    """Gives a row in one sentence."""
    row, ours = judged.row, judged.sides.get(OURS)
    if ours is None:
        return f"{row.what}: {judged.failed.get(OURS, 'not measured')}"
    parts = [f"{row.what}: {figure(row, ours.middle)}"]
    for peer, times in judged.times.items():
        theirs = figure(row, judged.sides[peer].middle)
        parts.append(f"{PEERS[peer]} {theirs} ({number(times)}×)")
    if row.target:
        parts.append(f"aim {aim(row)}, {verdict(judged).strip('*') or 'nothing to judge by'}")
    return "; ".join(parts)


def text(found: Sessions) -> str:
    """Gives all that is written by itself."""
    judged = {race.name: [judge(row, found.get(race.name, ())) for row in ROWS if row.race == race.name] for race in RACES}
    rows = [one for race in judged.values() for one in race]
    lost = [one for one in rows if one.held is False or one.lost_to]
    won = [one for one in rows if one.times and not one.lost_to]
    absent = [f"{race.title}: {'; '.join(names)}" for race in RACES if (names := _absent(judged[race.name]))]
    return "\n".join(
        [
            *_machine(found),
            *_list("What we lose", [_loss(one) for one in lost], "Nothing that is in the table."),
            *_list("What we win", [_win(one) for one in won], "Nothing."),
            *_list("What is not measured", absent, "Nothing: every row has a figure."),
            *_pictures(found),
            *_table(judged),
            *_sessions(found),
        ]
    )


def _machine(found: Sessions) -> list[str]:
    machines = {result.machine for session in found.values() for result in session}
    return [f"Machine: {machine}.\n" for machine in machines]


def _list(title: str, items: Sequence[str], otherwise: str) -> list[str]:
    return [f"## {title}\n", *([f"- {item}" for item in items] or [otherwise]), ""]


def _absent(judged: Sequence[Judged]) -> list[str]:
    return [one.row.what + " (failed)" * (OURS in one.failed) for one in judged if OURS not in one.sides]


def _name(judged: Judged) -> str:
    race = next(race for race in RACES if race.name == judged.row.race)
    return f"{race.title}: {judged.row.what}"


def _loss(judged: Judged) -> str:
    ours = judged.sides[OURS]
    parts = [f"{_name(judged)}, {figure(judged.row, ours.middle)}"]
    if judged.held is False:
        parts.append(f"the aim is {aim(judged.row)}")
    parts += [
        f"{PEERS[peer]} has {figure(judged.row, judged.sides[peer].middle)}, {number(1 / judged.times[peer])} times better"
        for peer in judged.lost_to
    ]
    return "; ".join(parts) + "."


def _win(judged: Judged) -> str:
    parts = [f"{number(times)} times {PEERS[peer]}" for peer, times in judged.times.items()]
    return f"{_name(judged)}, {' and '.join(parts)}."


def _pictures(found: Sessions) -> list[str]:
    shown = {
        "times.svg": "How many times better each figure is than a peer's, on a logarithmic scale",
        "scale.svg": "Seconds and memory of a simulation against its devices",
    }
    return [f"![{shown[name]}](benchmarks/{name})\n" for name in pictures.names(found)]


def _table(judged: Mapping[str, Sequence[Judged]]) -> list[str]:
    lines = [
        "## The table\n",
        "Medians over the turns; behind a peer's figure, how many times better ours is, as the median of the turns' ratios.\n",
        f"| | Folkmoot | {' | '.join(PEERS.values())} | aim | |",
        "| --- | ---: |" + " ---: |" * len(PEERS) + " --- | --- |",
    ]
    for race in RACES:
        lines += [f"| **{race.title}** |" + " |" * (len(PEERS) + 3), *(_row(one) for one in judged[race.name])]
    return [*lines, ""]


def _row(judged: Judged) -> str:
    row = judged.row
    cells = []
    for side in (OURS, *PEERS):
        spread = judged.sides.get(side)
        cell = "failed" if side in judged.failed else ""
        if spread:
            cell = figure(row, spread.middle) + (f" ({number(judged.times[side])}×)" if side in judged.times else "")
        cells.append(cell)
    return f"| {row.what} | {' | '.join(cells)} | {aim(row)} | {verdict(judged)} |"


def _sessions(found: Sessions) -> list[str]:
    lines = [
        "## When, on what, and how steady",
        "",
        "Load is the number of processes that wanted to run in the minute before a side began. Of each figure below: the least",
        "and the most of all turns.\n",
        "| | measured (UTC) | commit | turns | load | versions |",
        "| --- | --- | --- | ---: | ---: | --- |",
    ]
    for race in RACES:
        if session := found.get(race.name):
            commits = ", ".join(dict.fromkeys(f"`{result.commit}`" for result in session))
            turns = len({result.turn for result in session})
            loads = [result.load for result in session]
            versions = ", ".join(dict.fromkeys(result.version for result in session if result.version))
            began = session[0].began[:16].replace("T", " ")
            lines.append(
                f"| {race.title} | {began} | {commits} | {turns} | {min(loads):.1f} to {max(loads):.1f} | {versions} |"
            )
    lines.append("")
    for race in RACES:
        lines += _steady(race, found.get(race.name, ()))
    return lines


def _steady(race: Race, session: Sequence[Result]) -> list[str]:
    if not session:
        return []
    lines = [f"### {race.title}\n", race.how, ""]
    for side in (OURS, *race.peers):
        gave = [result for result in session if result.side == side and not result.failed]
        why = next((result.failed for result in session if result.side == side and result.failed), "")
        spreads = {name: Spread.of([each.figures[name] for each in gave]) for name in (gave[0].figures if gave else ())}
        shown = ", ".join(
            f"`{name}` {number(one.low)}" + (f" to {number(one.high)}" if one.high > one.low else "")
            for name, one in spreads.items()
        )
        said = [shown] if shown else []
        said += [f"failed: {why.splitlines()[-1]}"] if why else []
        if said:
            lines.append(f"- {PEERS.get(side, 'Folkmoot')}: {'; '.join(said)}")
    return [*lines, ""]


def written(document: str, found: Sessions) -> str:
    """Gives the document with what the results make in it."""
    before, _, _ = document.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{text(found).rstrip()}\n"


def sessions(all_results: Sequence[Result]) -> Sessions:
    """Gives what the document is made of: the newest session of each race on the machine that measured last."""
    machine = results.last_machine(all_results)
    return results.newest(all_results, machine) if machine else {}


def write() -> None:
    """Writes document and pictures."""
    found = sessions(results.read())
    PICTURES.mkdir(exist_ok=True)
    for name, content in pictures.draw(found).items():
        (PICTURES / name).write_bytes(content)
    FILE.write_text(written(FILE.read_text("utf-8"), found), "utf-8")
