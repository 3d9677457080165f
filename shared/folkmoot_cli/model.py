"""`folkmoot model`: what was learnt."""

from pathlib import Path
from typing import Annotated

import typer

from folkmoot.errors import UserFault
from folkmoot_cli import output
from folkmoot_cli.api import Cloud, Json, connect
from folkmoot_cli.options import URL, AsJson, Limit, TokenFile, Url

ModelId = Annotated[str, typer.Argument(metavar="MODEL", help="A model's id, `latest` or `promoted`.")]
OfTask = Annotated[str | None, typer.Option("--task", help="Only models of this task: its id, or a name for its newest one.")]
OfRun = Annotated[str | None, typer.Option("--run", help="Only what this run has learnt.")]


async def listing(
    task: OfTask = None,
    run: OfRun = None,
    promoted: Annotated[bool, typer.Option("--promoted", help="Only those that are meant to be used.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """List the models."""
    async with connect(url, token_file) as cloud:
        task_id = await _task_id(cloud, task)
        found = await cloud.listing("models", limit=limit, task=task_id, run=run, promoted=True if promoted else None)
    if as_json:
        output.document(found)
        return
    output.table(
        ("model", "run", "version#", "loss#", "accuracy#", "size#", "promoted", "made"),
        (
            (
                one["id"],
                one["run_id"],
                one["version"],
                output.figure((one["evaluation"] or {}).get("loss")),
                output.figure((one["evaluation"] or {}).get("accuracy")),
                output.size(one["size"]),
                "yes" if one["promoted"] else "",
                output.moment(one["created_at"]),
            )
            for one in found
        ),
    )


async def pull(
    model: ModelId = "latest",
    to: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; MODEL.tflite by default.")
    ] = None,
    kind: Annotated[str, typer.Option(help="Which of the task's inference programs.")] = "float",
    weights: Annotated[bool, typer.Option("--weights", help="The bare block of weights instead of a program.")] = False,
    task: OfTask = None,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """Download a model.

    It is a .tflite that runs on any TensorFlow Lite interpreter.

    Example: folkmoot model pull promoted --task digits-mlp --output digits.tflite
    """
    async with connect(url, token_file) as cloud:
        found = await _find(cloud, model, task)
        if weights:
            content = await cloud.download("models", found["id"], "weights")
        else:
            content = await cloud.download("models", found["id"], "tflite", kind=kind)
    file = to or Path(f"{found['id']}.{'weights' if weights else 'tflite'}")
    try:
        file.write_bytes(content)
    except OSError as error:
        raise UserFault(f"{file} cannot be written: {error.strerror}; give another --output") from None
    if as_json:
        output.document({**found, "file": str(file), "bytes": len(content)})
    else:
        output.note(f"{file}: model {found['id']}, version {found['version']}, {output.size(len(content))}")


async def promote(
    model: ModelId, task: OfTask = None, as_json: AsJson = False, url: Url = URL, token_file: TokenFile = None
) -> None:
    """Make a model the one of its task that is meant to be used."""
    async with connect(url, token_file) as cloud:
        found = await _find(cloud, model, task)
        _tell(await cloud.post("models", found["id"], "promote"), as_json)


async def rollback(
    task: Annotated[str, typer.Argument(metavar="TASK", help="A task's id, or a name for its newest one.")],
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """Promote again what was promoted before."""
    async with connect(url, token_file) as cloud:
        _tell(await cloud.post("tasks", task, "rollback"), as_json)


def _tell(model: Json, as_json: bool) -> None:
    if as_json:
        output.document(model)
    else:
        output.note(f"promoted is now {model['id']}, version {model['version']} of run {model['run_id'] or '-'}")


async def _task_id(cloud: Cloud, task: str | None) -> str | None:
    """Gives the id of a task that is called by id or name."""
    return None if task is None else str((await cloud.get("tasks", task))["id"])


async def _find(cloud: Cloud, model: str, task: str | None) -> Json:
    """Gives the model that a person means. Raises UserFault where there is none, or more than one."""
    if model not in ("latest", "promoted"):
        return await cloud.get("models", model)
    task_id = await _task_id(cloud, task)
    if model == "promoted":
        found = await cloud.listing("models", task=task_id, promoted=True)
        if len(found) > 1:
            raise UserFault("several tasks have a promoted model: say which one with --task")
    else:
        found = [one for one in await cloud.listing("models", limit=200, task=task_id) if one["run_id"] is not None]
    if not found:
        raise UserFault("there is no such model yet: `folkmoot model list` shows those that there are")
    return found[0]
