"""`folkmoot task`: what can be learnt."""

from typing import Annotated

import typer

from folkmoot import tasks
from folkmoot_cli import output
from folkmoot_cli.api import Json, connect
from folkmoot_cli.options import URL, AsJson, Limit, TokenFile, Url
from folkmoot_cli.source import Source, read

TaskId = Annotated[str, typer.Argument(metavar="TASK", help="A task's id, or a name for its newest one.")]


async def listing(
    name: Annotated[str | None, typer.Option(help="Only tasks with this name.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    url: Url = URL,
    token_file: TokenFile = None,
) -> None:
    """List the tasks of a cloud."""
    async with connect(url, token_file) as cloud:
        found = await cloud.listing("tasks", limit=limit, name=name)
    if as_json:
        output.document(found)
        return
    columns = ("task", "version", "title", "parameters#", "data", "published", "id")
    rows = (
        (
            one["name"],
            one["version"],
            one["title"],
            f"{one['parameters']:,}",
            one["contract"],
            output.moment(one["created_at"]),
            one["id"],
        )
        for one in found
    )
    output.table(columns, rows)
    if not found:
        output.note(f"no task is there yet: `folkmoot task publish {tasks.names()[0]}` uploads one that comes with Folkmoot")


async def publish(bundle: Source, as_json: AsJson = False, url: Url = URL, token_file: TokenFile = None) -> None:
    """Upload a task.

    The same bytes are the same task, however often they are uploaded.

    Example: folkmoot task publish digits-mlp
    """
    content = read(bundle)
    async with connect(url, token_file) as cloud:
        found = await cloud.post("tasks", body=content)
    if as_json:
        output.document(found)
    else:
        _tell(found)


async def show(task: TaskId, as_json: AsJson = False, url: Url = URL, token_file: TokenFile = None) -> None:
    """Show a task."""
    async with connect(url, token_file) as cloud:
        found = await cloud.get("tasks", task)
    if as_json:
        output.document(found)
    else:
        _tell(found)


def _tell(task: Json) -> None:
    output.facts(
        (
            ("task", f"{task['name']} {task['version']}"),
            ("title", task["title"]),
            ("id", task["id"]),
            ("data", task["contract"]),
            ("parameters", f"{task['parameters']:,}"),
            ("program", f"{output.size(task['program_size'])}, sha256 {task['program']}"),
            ("weights", f"{output.size(task['weights_size'])}, sha256 {task['weights']}"),
            ("inference", ", ".join(sorted(task["inference"]))),
            ("published", output.moment(task["created_at"])),
        )
    )
