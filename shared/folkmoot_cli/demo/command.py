"""`folkmoot demo`."""

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import Awaitable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from folkmoot import tasks
from folkmoot.errors import FolkmootError, UserFault
from folkmoot.tasks import digits
from folkmoot_cli import output
from folkmoot_cli.api import Cloud, Json
from folkmoot_cli.demo import examination
from folkmoot_cli.demo.federation import Federation
from folkmoot_cli.demo.plan import Kind, Plan
from folkmoot_cli.options import AsJson
from folkmoot_cli.progress import Progress
from folkmoot_cli.run import read_option
from folkmoot_cli.watch import Run, follow

T = TypeVar("T")
MODEL = "model.tflite"
DEADLINE = 120.0  # seconds of a round: ten times what the slowest device needs when 24 processes share two cores
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def demo(
    gateways: Annotated[int, typer.Option(min=1, help="Homes.")] = 3,
    devices: Annotated[
        int, typer.Option(min=1, help="In all homes together; each is a process, and another that trains.")
    ] = 12,
    rounds: Annotated[int, typer.Option(min=1, help="Of learning.")] = 10,
    epochs: Annotated[int, typer.Option(min=1, help="Local epochs of a round.")] = 5,
    strategy: Annotated[str, typer.Option(help="The learning algorithm.")] = "fedavg",
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", metavar="NAME=VALUE", help="An option of the strategy.")
    ] = None,
    transform: Annotated[
        str | None, typer.Option(help="How updates travel: int8 is a quarter of the bytes.", show_default="float32")
    ] = None,
    task: Annotated[str, typer.Option(help="A task that comes with Folkmoot and learns digits.")] = "digits-mlp",
    broker: Annotated[Kind, typer.Option(help="Which MQTT broker; `auto` takes Mosquitto where it is installed.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of how the digits are dealt, and of the training.")] = 0,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep settings, logs, databases and the model there.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Watch a federation learn on this machine, end to end.

    Starts MQTT brokers, a cloud, gateways and devices as processes, deals the devices handwritten digits so unevenly that
    some homes hardly know some of them, and has them learn together. Then it stops everything.

    Example: folkmoot demo --strategy fedprox --option mu=0.01 --rounds 5
    """
    began = time.monotonic()
    options = dict(map(read_option, option or []))
    plan = Plan(gateways, devices, rounds, epochs, strategy, options, task, broker, seed, transform)
    try:
        with _endable(), _folder(keep) as folder:
            output.note(f"starting a cloud, {gateways} gateways and {devices} devices on this machine")
            async with Federation(plan, folder) as federation:
                result = await _unless(federation.children.watch(), _show(federation, folder, began))
    except _Told as told:
        return told.code
    if keep:
        output.note(f"settings, logs, databases and {MODEL} are kept in {keep}")
    if as_json:
        output.document(result)
    else:
        _tell(result)
    return 0


async def _show(federation: Federation, folder: Path, began: float) -> Json:
    """Has the federation learn; gives what is to be said of it."""
    plan = federation.plan
    console = output.console(stderr=True)
    console.print(f"they talk over {federation.broker}; {digits.DEALT:,} images of digits are dealt unevenly, 0 to 9:")
    for home, counts in federation.counts.items():
        console.print(f"  {home}: {' '.join(f'{count:4}' for count in counts)}")
    async with federation.api() as cloud:
        with console.status("waiting for the devices"):
            await federation.gather(cloud)
        run = await _learn(cloud, plan, Progress(console))
        return await _judge(cloud, federation, run, folder, began)


async def _learn(cloud: Cloud, plan: Plan, progress: Progress) -> Json:
    """Uploads the task, starts a run, and shows it to its end; gives its record. Raises FolkmootError where it fails."""
    published = await cloud.post("tasks", body=tasks.read(plan.task))
    body = {
        "task": published["id"],
        "strategy": {"name": plan.strategy, "options": dict(plan.options)},
        "rounds": plan.rounds,
        "plan": {"epochs": plan.epochs, "seed": plan.seed},
        "deadline_seconds": DEADLINE,
        "transform": plan.transform,
    }
    started = await cloud.post("runs", body=body)
    run = started
    with progress:
        async for update in follow(cloud, started["id"]):
            progress.show(update)
            if isinstance(update, Run):
                run = update.record
    if run["outcome"] != "completed":
        raise FolkmootError(f"the run has {run['outcome']}: {run['reason']}; --keep DIR keeps the logs")
    return run


async def _judge(cloud: Cloud, federation: Federation, run: Json, folder: Path, began: float) -> Json:
    """Gives the figures of a run that is over."""
    plan = federation.plan
    model = await cloud.get("models", run["model"])
    tflite = await cloud.download("models", run["model"], "tflite")
    (folder / MODEL).write_bytes(tflite)
    _, kept_back = digits.load()
    seconds = datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(run["started_at"])
    return {
        "accuracy": run["after"]["accuracy"],
        "accuracy_before": run["before"]["accuracy"],
        "examples": run["after"]["examples"],
        "test_accuracy": examination.accuracy(tflite, kept_back),
        "test_images": len(kept_back),
        "rounds": run["done"],
        "devices": plan.devices,
        "gateways": plan.gateways,
        "strategy": plan.strategy,
        "task": plan.task,
        "broker": federation.broker,
        "bytes_up": run["bytes_up"],
        "bytes_down": run["bytes_down"],
        "device_peak_rss_mb": round(federation.device_memory() / 1e6, 1),
        "model_sha256": model["model_sha256"],
        "run_seconds": round(seconds.total_seconds(), 2),
        "seconds": round(time.monotonic() - began, 2),
    }


async def _unless(watch: Awaitable[None], work: Awaitable[T]) -> T:
    """Gives what comes of `work`, unless `watch` raises first."""
    watching, working = asyncio.ensure_future(watch), asyncio.ensure_future(work)
    try:
        await asyncio.wait((watching, working), return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        return await working
    finally:
        for task in (watching, working):
            task.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Gives where everything is kept: `keep`, or a folder that goes with the demo. Raises UserFault."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="folkmoot-demo-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise UserFault(f"--keep: {keep} is not empty: name a new folder")
    except OSError as error:
        raise UserFault(f"--keep: {keep} cannot be used: {error.strerror}") from None
    yield keep.absolute()


class _Told(Exception):
    """Somebody has told this process to end, with a signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number  # as shells have it: 130 for Ctrl-C


@contextlib.contextmanager
def _endable() -> Iterator[None]:
    """Ends what is under way, in order, at the first signal that asks for it, whoever is impatient; then raises _Told."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    told: list[int] = []

    def end(number: int) -> None:
        if not told:
            output.note("stopping everything")
            task.cancel()
        told.append(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if not told:
            raise
        raise _Told(told[0]) from None
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _tell(result: Json) -> None:
    """Says it to people."""
    output.facts(
        (
            (
                "accuracy",
                f"{result['accuracy_before']:.3f} before, {result['accuracy']:.3f} after {result['rounds']} rounds, on "
                f"{result['examples']} images that the devices held out",
            ),
            ("", f"{result['test_accuracy']:.3f} on {result['test_images']} images that no device has"),
            ("moved", f"{output.size(result['bytes_up'])} up and {output.size(result['bytes_down'])} down, on both hops"),
            ("memory", f"{result['device_peak_rss_mb']:.0f} MB at most in a device, its training process included"),
            ("model", f"sha256 {result['model_sha256']}"),
            ("time", f"{result['run_seconds']:.1f} s of learning, {result['seconds']:.1f} s in all"),
        )
    )
