"""`folkmoot replay`: a recording of a gateway or a cloud, lived through again; and who has spoilt a round of it."""

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from folkmoot.errors import UserFault
from folkmoot.flight import criterion, examples
from folkmoot.flight.criterion import UNITS, WORSE, Criterion
from folkmoot.flight.player import Ended, Player, Seen, Wanted
from folkmoot.flight.recording import Recording, find
from folkmoot.flight.remade import Given, Remade, Traits
from folkmoot.flight.suspect import Inquiry
from folkmoot_cli import output
from folkmoot_cli.options import AsJson

UNIT = 1 << 20  # losses travel as integers in units of 2^-20
SHORT = 12  # digits of a sha256 in a table
FAILED = 1


class Measure(StrEnum):
    """What makes a round a bad one."""

    LOSS = "loss"
    NORM = "norm"
    FINITE = "finite"


Flight = Annotated[Path, typer.Argument(metavar="FLIGHT", help="The folder of a recording, or the one that `record` names.")]
Run = Annotated[str, typer.Option(metavar="RUN", help="Of this run alone, where several are recorded.", show_default=False)]
Number = Annotated[
    int | None, typer.Option("--round", metavar="N", min=1, help="Look at the answers of this round.", show_default=False)
]
Bisect = Annotated[
    Measure | None,
    typer.Option(
        help="Find the answers that have spoilt the round: its model by its loss on --data, by the length of its step, or by "
        "weights that are no numbers.",
        rich_help_panel="Who has spoilt a round",
        show_default=False,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Labelled examples: .npz with x and y, or .csv with y in the last column.",
        rich_help_panel="Who has spoilt a round",
        show_default=False,
    ),
]
Worse = Annotated[
    float | None,
    typer.Option(
        "--worse-than",
        metavar="FACTOR",
        min=0,
        help="How much is bad: of the loss before the round, 1.1; of the median step of single answers, 2.",
        rich_help_panel="Who has spoilt a round",
        show_default=False,
    ),
]


def replay(
    flight: Flight,
    run: Run = "",
    number: Number = None,
    bisect: Bisect = None,
    data: Data = None,
    worse: Worse = None,
    as_json: AsJson = False,
) -> int:
    """Live through a recording again, and find the answer that has spoilt a round.

    A gateway or a cloud whose settings say `record` writes down what comes in. This has the same program live through it,
    without network, disk or clock, and compares the sha256 of each round with that of then. It ends with 1 where one differs.

    Example: folkmoot replay flight/gateway-home-1

    Example: folkmoot replay flight/gateway-home-1 --round 7 --bisect loss --data examples.npz
    """
    if number is None and bisect is not None:
        raise UserFault("--bisect needs the round that is bad: name it with --round")
    if (data is None) != (bisect is not Measure.LOSS):
        raise UserFault("--bisect loss and --data FILE go together: the loss is that on the examples of the file")
    recording = Recording(find(flight))
    player = Player(recording, None if number is None else Wanted(run, number))
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # the program says again what it said then
    try:
        player.play()
    finally:
        logging.disable(before)
    for note in player.notes:
        output.note(note)
    rounds = [one for one in player.rounds if run in ("", one.then.run) and number in (None, one.then.number)]
    document: dict[str, Any] = _document(player, recording, rounds)
    if not as_json:
        _tell(player, recording, rounds)
    if number is not None:
        document |= _inquire(_the_one(player, number), bisect, data, worse, as_json)
    if as_json:
        output.document(document)
    return FAILED if player.failed or any(one.verdict == "differs" for one in rounds) else 0


# The rounds.


def _tell(player: Player, recording: Recording, rounds: list[Ended]) -> None:
    output.table(
        ("run", "round", "phase", "ended", "answers#", "outcome", "loss before#", "accuracy#", "sha256", "replay"),
        (
            (
                one.then.run,
                _number(one),
                one.then.phase,
                _moment(one.at),
                one.then.answers,
                f"{one.then.outcome}, {one.then.reason}" if one.then.reason else one.then.outcome,
                *(output.figure(value) for value in _quality(one.metrics)),
                one.then.sha256.hex()[:SHORT] or None,
                _verdict(one),
            )
            for one in rounds
        ),
    )
    counts = Counter(one.verdict for one in rounds)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    print(
        f"{_count(len(rounds), 'round')}: {told or 'none is over'}; {recording.records} records, {output.size(recording.bytes)}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _number(one: Ended) -> str:
    return str(one.then.number) + (f", local {one.then.local}" if one.then.local else "")


def _verdict(one: Ended) -> str:
    if one.verdict == "differs" and one.again is not None and one.again.sha256 != one.then.sha256:
        return f"differs: {one.again.sha256.hex()[:SHORT] or 'nothing'}"
    return one.verdict


def _quality(metrics: Mapping[str, int]) -> tuple[float | None, float | None]:
    """Gives loss and accuracy of the model that a round began with, as its members have measured them."""
    count = metrics.get("eval_count", 0)
    loss, correct = metrics.get("eval_loss_u20"), metrics.get("eval_correct")
    if not count:
        return None, None
    return None if loss is None else loss / UNIT / count, None if correct is None else correct / count


def _document(player: Player, recording: Recording, rounds: list[Ended]) -> dict[str, Any]:
    begin = player.begin
    return {
        "tier": None if begin is None else begin.tier,
        "name": None if begin is None else begin.name,
        "lives": player.lives,
        "records": recording.records,
        "bytes": recording.bytes,
        "notes": player.notes,
        "rounds": [
            {
                "run": one.then.run,
                "round": one.then.number,
                "local": one.then.local,
                "phase": one.then.phase,
                "ended": _iso(one.at),
                "answers": one.then.answers,
                "outcome": one.then.outcome,
                "reason": one.then.reason,
                "loss_before": _quality(one.metrics)[0],
                "accuracy_before": _quality(one.metrics)[1],
                "sha256": one.then.sha256.hex() or None,
                "replay": one.verdict,
                "replayed_sha256": None if one.again is None else one.again.sha256.hex() or None,
            }
            for one in rounds
        ],
    }


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _moment(ms: int) -> str | None:
    return output.moment(_iso(ms))


# One of them.


def _the_one(player: Player, number: int) -> Seen:
    """Gives the round that a person means. Raises UserFault where there is none, or several."""
    closed = [seen for seen in player.seen if seen.ended is not None and not seen.ended.local]
    runs = sorted({seen.open.round.opened.ask.run for seen in closed})
    if len(runs) > 1:
        raise UserFault(f"several runs have a round {number} here: name one of {', '.join(runs)} with --run")
    if not closed:
        there = sorted({one.then.number for one in player.rounds if one.then.phase == "train"})
        known = f"there are {there[0]} to {there[-1]}" if there else "there is none at all"
        raise UserFault(f"no training round {number} is over in the recording, with answers that are in it; {known}")
    return closed[-1]


def _inquire(seen: Seen, bisect: Measure | None, data: Path | None, worse: float | None, as_json: bool) -> dict[str, Any]:
    remade = Remade(seen)
    traits = remade.traits()
    found = {"answers": [_answer(one, its) for one, its in zip(remade.answers, traits, strict=True)]}
    if bisect is None:
        if not as_json:
            _tell_answers(remade, traits, range(len(traits)))
        return found
    inquiry = Inquiry(remade, _criterion(remade, bisect, data, WORSE[bisect] if worse is None else worse))
    bad = inquiry.search()
    if not as_json:
        _tell_inquiry(inquiry, traits, bad)
        if bad and remade.tier == "cloud":
            _tell_way(inquiry, bisect, data)
    return found | {"bisect": _findings(inquiry, bad)}


def _criterion(remade: Remade, bisect: Measure, data: Path | None, worse: float) -> Criterion:
    match bisect:
        case Measure.LOSS:
            assert data is not None
            return criterion.loss(remade, examples.read(data, remade.program.manifest.contract), worse)
        case Measure.NORM:
            return criterion.norm(remade, worse)
        case Measure.FINITE:
            return criterion.finite(remade)


def _answer(one: Given, traits: Traits) -> dict[str, Any]:
    return {
        "member": one.member,
        "devices": list(one.devices),
        "came": _iso(one.at),
        "after_seconds": one.after / 1000,
        "belated": None if one.belated is None else one.belated.round,
        "weight": traits.weight,
        "norm": traits.norm,
        "cosine": traits.cosine,
    }


def _findings(inquiry: Inquiry, bad: bool) -> dict[str, Any]:
    remade, limit = inquiry.remade, inquiry.criterion
    return {
        "measure": limit.name,
        "bad": bad,
        "before": limit.before,
        "limit": limit.limit,
        "with_all": inquiry.whole,
        "without_them": inquiry.without if bad else None,
        "with_them_alone": inquiry.alone if bad else None,
        "evaluations": inquiry.looks,
        "members": [remade.answers[number].member for number in inquiry.found],
    }


def _tell_answers(remade: Remade, traits: list[Traits], numbers: Any) -> None:
    who = "gateway" if remade.tier == "cloud" else "device"
    rows = ((remade.answers[number], traits[number]) for number in numbers)
    output.table(
        (who, "devices#", "came", "after s#", "belated", "weight#", "norm#", "cosine with the rest#"),
        (
            (
                one.member,
                len(one.devices),
                _moment(one.at),
                f"{one.after / 1000:.1f}",
                None if one.belated is None else f"of round {one.belated.round}",
                its.weight,
                f"{its.norm:.4g}",
                output.figure(its.cosine),
            )
            for one, its in rows
        ),
    )


def _tell_inquiry(inquiry: Inquiry, traits: list[Traits], bad: bool) -> None:
    remade, limit = inquiry.remade, inquiry.criterion
    what, count = UNITS[limit.name], len(remade.answers)
    before = f"{limit.before:.4g} before it, " if limit.name != "norm" else ""
    most = f"bad is more than {limit.limit:.4g}"
    print(f"round {remade.ask.round}: {what} {before}{inquiry.whole:.4g} with all of {_count(count, 'answer')}; {most}")
    if not bad:
        print("by this measure the round is not bad" if not limit.bad(inquiry.whole) else "it is bad without any answer, too")
        return
    names = ", ".join(remade.answers[number].member for number in inquiry.found)
    print(
        f"spoilt by {names}: {inquiry.without:.4g} without, {inquiry.alone:.4g} alone; "
        f"{_count(inquiry.looks, 'model')} measured"
    )
    _tell_answers(remade, traits, inquiry.found)
    others = [its.norm for number, its in enumerate(traits) if number not in inquiry.found]
    if others:
        print(f"the norms of the other {len(others)} are {min(others):.4g} to {max(others):.4g}")


def _tell_way(inquiry: Inquiry, bisect: Measure, data: Path | None) -> None:
    """Says where to look on: an answer to the cloud is a home's."""
    ask = inquiry.remade.ask
    for number in inquiry.found:
        one = inquiry.remade.answers[number]
        options = f"--run {ask.run} --round {ask.round} --bisect {bisect}" + (f" --data {data}" if data is not None else "")
        print(f"{one.member} is a gateway, with {', '.join(one.devices)} in its answer. Its own recording leads further:")
        print(f"  folkmoot replay gateway-{one.member} {options}")
