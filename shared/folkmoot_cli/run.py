"""`folkmoot run`: training jobs."""

import asyncio
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from folkmoot.errors import UserFault
from folkmoot_cli import foreseen, output, runfile
from folkmoot_cli.api import Cloud, Json, connect
from folkmoot_cli.options import URL, AsJson, Limit, RunId, TokenFile, Url
from folkmoot_cli.progress import Progress, line
from folkmoot_cli.watch import Run, follow

FAILED = 1  # exit code of a run that failed


class Status(StrEnum):
    """How far a run is."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"


Option = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", metavar="NAME=VALUE", help="An option of the strategy; can be given several times."),
]


def _members(help: str, **limits: Any) -> Any:
    return typer.Option(help=help, rich_help_panel="What members do", **limits)


def _cohort(help: str, **limits: Any) -> Any:
    return typer.Option(help=help, rich_help_panel="Who takes part in a round", **limits)


File = Annotated[Path | None, typer.Argument(metavar="RUN.toml", help="The run in a file; options win over it.")]
Only = Annotated[list[str] | None, _members("Only this tensor moves, such as a model's head; can be given several times.")]
Evaluate = Annotated[bool | None, _members("Whether they evaluate each version on their hold-outs.", show_default="evaluate")]
Offline = Annotated[
    list[str] | None,
    _members("What they may do while the cloud is away: staleness, discount, rounds, hours.", metavar="NAME=VALUE"),
]
Deadline = Annotated[
    float | None,
    _cohort("Seconds after which a round waits for nobody.", min=0.1, show_default="600"),
]
Buffer = Annotated[
    int | None,
    _cohort("Asynchronous: so many answers make a version, whoever is late goes on; with --offline.", min=1),
]


Transform = Annotated[
    str | None,
    _members("How their updates travel: int8 is a quarter of the bytes.", show_default="float32"),
]


async def start(
    file: File = None,
    task: Annotated[str | None, typer.Option(help="A task's id, or a name for its newest one.")] = None,
    strategy: Annotated[str | None, typer.Option(help="The learning algorithm.", show_default="fedavg")] = None,
    option: Option = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="How many it is to have.", show_default="10")] = None,
    name: Annotated[str | None, typer.Option(help="For people; the task's name where there is none.")] = None,
    start_from: Annotated[str | None, typer.Option("--from", metavar="MODEL", help="A model of the same task.")] = None,
    epochs: Annotated[int | None, _members("Local epochs; the task's own where it is not given.", min=0)] = None,
    steps: Annotated[int | None, _members("Local steps, instead of epochs.", min=0)] = None,
    learning_rate: Annotated[float | None, _members("Of the local steps.")] = None,
    seed: Annotated[int | None, _members("Of the order of examples.", min=0)] = None,
    only: Only = None,
    offline: Offline = None,
    evaluate: Evaluate = None,
    transform: Transform = None,
    devices: Annotated[int | None, _cohort("Answers that are wanted; without it, everybody's.", min=1)] = None,
    fraction: Annotated[float | None, _cohort("Share of the devices that are there, instead of a number.")] = None,
    gateway: Annotated[list[str] | None, _cohort("Only below this one; can be given several times.")] = None,
    over_selection: Annotated[
        float | None, _cohort("Asks so many times the devices that are wanted.", min=1, show_default="1")
    ] = None,
    min_answers: Annotated[
        int | None, _cohort("Devices below which a round makes no new version.", min=1, show_default="1")
    ] = None,
    deadline: Deadline = None,
    buffer: Buffer = None,
    watching: Annotated[bool, typer.Option("--watch", help="And watch it until it ends.")] = False,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> int:
    """Start a run.

    Example: folkmoot run start --task digits-mlp --rounds 10 --watch

    Example: folkmoot run start --task digits-mlp --strategy fedprox -o mu=0.01

    Example: folkmoot run start RUN.toml --rounds 3
    """
    flat = {"task": task, "name": name, "rounds": rounds, "min_answers": min_answers, "deadline_seconds": deadline}
    flat |= {"over_selection": over_selection, "evaluate": evaluate, "start_from": start_from, "buffer": buffer}
    flat |= {"transform": transform}
    body = runfile.changed(
        {} if file is None else runfile.load(file),
        flat | {"offline": dict(read_option(one, "--offline", "staleness=4") for one in offline or []) or None},
        strategy={"name": strategy, "options": dict(map(read_option, option or []))},
        plan={"epochs": epochs, "steps": steps, "learning_rate": learning_rate, "seed": seed, "only": only},
        cohort={"devices": devices, "fraction": fraction, "gateways": gateway},
    )
    async with connect(url, token_file) as cloud:
        run = await cloud.post("runs", body=body)
        if watching:
            return await _watch(cloud, run["id"], as_json)
    if as_json:
        output.document(run)
    else:
        print(run["id"])
        output.note(f"{run['name']} is {run['status']}: `folkmoot run watch` shows how it goes")
    return 0


async def watch(run: RunId = "latest", as_json: AsJson = False, url: Url = URL, token_file: TokenFile = None) -> int:
    """Watch a run until it ends.

    The exit code is 1 when the run has failed. Ctrl-C ends the watching, not the run. With --json, a line for each round that
    is over and whose model is evaluated, and one for the run at its end.
    """
    async with connect(url, token_file) as cloud:
        return await _watch(cloud, await _id(cloud, run), as_json)


async def listing(
    status: Annotated[Status | None, typer.Option(help="Only runs in this state.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """List the runs."""
    async with connect(url, token_file) as cloud:
        found = await cloud.listing("runs", limit=limit, status=status)
    if as_json:
        output.document(found)
        return
    output.table(
        ("run", "name", "task", "strategy", "status", "rounds#", "accuracy#", "up#", "created"),
        (
            (
                one["id"],
                one["name"],
                one["task"]["name"],
                one["strategy"]["name"],
                one["outcome"] or one["status"],
                f"{one['done']}/{one['rounds']}",
                output.figure((one["after"] or {}).get("accuracy")),
                output.size(one["bytes_up"]),
                output.moment(one["created_at"]),
            )
            for one in found
        ),
    )


async def show(
    run: RunId = "latest",
    number: Annotated[int | None, typer.Option("--round", min=1, help="Who took part in this round.")] = None,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """Show a run and its rounds, or who took part in one of them.

    Where a prediction was made when the run was created, it stands beside what was measured.
    """
    async with connect(url, token_file) as cloud:
        run_id = await _id(cloud, run)
        if number is not None:
            members = await cloud.listing("runs", run_id, "rounds", str(number), "members")
            _tell_members(members, as_json)
            return
        found = await cloud.get("runs", run_id)
        rounds = await cloud.listing("runs", run_id, "rounds")
        prediction = await cloud.get("runs", run_id, "prediction")
    if as_json:
        output.document({**found, "records": rounds, "prediction": prediction})
        return
    _tell(found)
    for one in rounds:
        print(line(one, found["rounds"]))
    foreseen.tell_compared(prediction)


async def pause(run: RunId, as_json: AsJson = False, url: Url = URL, token_file: TokenFile = None) -> None:
    """Pause a run after the round that is open."""
    await _want(run, "pause", as_json, url, token_file)


async def resume(run: RunId, as_json: AsJson = False, url: Url = URL, token_file: TokenFile = None) -> None:
    """Go on with a paused run."""
    await _want(run, "resume", as_json, url, token_file)


async def stop(run: RunId, as_json: AsJson = False, url: Url = URL, token_file: TokenFile = None) -> None:
    """Stop a run for good.

    Its open round is called off; what it has learnt stays.
    """
    await _want(run, "stop", as_json, url, token_file)


async def more(run: RunId, as_json: AsJson = False, url: Url = URL, token_file: TokenFile = None) -> None:
    """Give a run one more round.

    A run that is finished is taken up again for it.
    """
    await _want(run, "rounds", as_json, url, token_file)


def read_option(text: str, flag: str = "--option", such: str = "mu=0.01") -> tuple[str, bool | int | float | str]:
    """Gives name and value of `name=value`; what looks like a number or a truth value is one. Raises UserFault."""
    name, given, value = text.partition("=")
    if not given or not name:
        raise UserFault(f"{flag} {text!r}: write NAME=VALUE, such as {such}")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return name, kind(value)
    return name, value


async def _want(run: str, what: str, as_json: bool, url: str, token_file: Any) -> None:
    async with connect(url, token_file) as cloud:
        found = await cloud.post("runs", await _id(cloud, run), what)
    if as_json:
        output.document(found)
    else:
        wanted = {"run": "to go on", "pause": "to pause", "stop": "to stop"}[found["desired"]]
        output.note(
            f"run {found['id']} is {found['status']}, after {found['done']} of {found['rounds']} rounds, and is {wanted}"
        )


async def _watch(cloud: Cloud, run_id: str, as_json: bool) -> int:
    outcome = ""
    try:
        with Progress(output.console(stderr=as_json), as_json=as_json) as progress:
            async for update in follow(cloud, run_id):
                progress.show(update)
                if isinstance(update, Run):
                    outcome = update.record["outcome"] or ""
        if not as_json and (off := foreseen.summary(await cloud.get("runs", run_id, "prediction"))):
            output.note(off)
    except asyncio.CancelledError:
        output.note(f"the run goes on: `folkmoot run watch {run_id}` shows it again, `folkmoot run stop {run_id}` stops it")
        raise
    return FAILED if outcome == "failed" else 0


async def _id(cloud: Cloud, run: str) -> str:
    """Gives the id of the run that a person means."""
    if run != "latest":
        return run
    found = await cloud.listing("runs", limit=1)
    if not found:
        raise UserFault("there is no run yet: `folkmoot run start --task digits-mlp` starts one")
    return str(found[0]["id"])


def _tell(run: Json) -> None:
    options = " ".join(f"{name}={value}" for name, value in run["strategy"].get("options", {}).items())
    plan = run["plan"]
    effort = f"{plan['steps']} steps" if plan.get("steps") else f"{plan.get('epochs')} epochs"
    output.facts(
        (
            ("run", f"{run['id']}  {run['name']}"),
            ("task", f"{run['task']['name']} {run['task']['version']}"),
            ("strategy", f"{run['strategy']['name']} {options}"),
            ("plan", f"{run['rounds']} rounds of {effort}, learning rate {plan.get('learning_rate')}"),
            ("transform", run["transform"]),
            ("status", " ".join(filter(None, (run["status"], run["outcome"])))),
            ("reason", run["reason"]),
            ("model", run["model"]),
            ("before", _quality(run["before"])),
            ("after", _quality(run["after"])),
            ("moved", f"{output.size(run['bytes_up'])} up, {output.size(run['bytes_down'])} down"),
            ("from", output.moment(run["started_at"])),
            ("to", output.moment(run["finished_at"])),
        )
    )


def _quality(evaluation: Json | None) -> str | None:
    if evaluation is None:
        return None
    figures = [f"{name} {output.figure(evaluation[name])}" for name in ("loss", "accuracy") if evaluation[name] is not None]
    return f"{', '.join(figures)} on {evaluation['examples']} examples of {evaluation['members']} devices"


def _tell_members(members: list[Json], as_json: bool) -> None:
    if as_json:
        output.document(members)
        return
    output.table(
        ("gateway", "device", "fate", "reason", "up#", "down#", "seconds#", "trained#"),
        (
            (
                one["gateway"],
                one["device"] or "",
                one["fate"],
                one["reason"],
                output.size(one["bytes_up"] or None),  # a gateway tells the traffic of its home as one sum
                output.size(one["bytes_down"] or None),
                output.figure(one["seconds"], 1),
                output.figure(one["train_seconds"], 1),
            )
            for one in members
        ),
    )
