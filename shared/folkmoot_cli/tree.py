"""Which commands there are. Each is loaded when it is used, so that `folkmoot --help` and an agent start at once.

Our own verbs stand in OWN. Those of the tiers are entry points of the group `folkmoot.commands`, the only way in which this
package reaches them: the entry point `gateway.run` is `folkmoot gateway run`, beside our own `folkmoot gateway list`. The
target of either is a function whose parameters are Typer's, asynchronous or not, or a Typer app; what a function returns is the
exit code. An entry point of another distribution adds a command in the same way.
"""

import asyncio
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from folkmoot.errors import UserFault

GROUP = "folkmoot.commands"


@dataclass(frozen=True, slots=True)
class Verb:
    """A command as `--help` lists it."""

    summary: str  # the first line of the command's own help; a test compares
    extra: str = ""  # what brings its imports
    source: str = ""  # module:function of this package; empty: the entry point of that name


GROUPS = {
    "cloud": "The service in the middle: its API, and the runs.",
    "gateway": "Gateways: be one, or list those of a cloud.",
    "device": "Devices: be one, or list those of a cloud.",
    "task": "Tasks: what can be learnt.",
    "run": "Runs: training jobs, from start to end.",
    "model": "Models: what was learnt.",
}

# In the order in which they are listed.
VERBS = {
    "demo": Verb("Watch a federation learn on this machine, end to end.", "demo", "folkmoot_cli.demo.command:demo"),
    "doctor": Verb("Say what is missing where something does not work.", "", "folkmoot_cli.doctor.command:doctor"),
    "cloud.serve": Verb("Serve the API and run the rounds.", "cloud"),
    "gateway.run": Verb("Be the gateway of a home.", "gateway"),
    "gateway.list": Verb("List the gateways that a cloud knows.", "cli", "folkmoot_cli.fleet:gateways"),
    "device.run": Verb("Be a device.", "device"),
    "device.list": Verb("List the devices that a cloud knows.", "cli", "folkmoot_cli.fleet:devices"),
    "fleet": Verb("Simulate the devices of a home, many in few processes.", "demo"),
    "simulate": Verb(
        "Simulate a whole federation on virtual time.",
        "demo",
        "folkmoot_cli.simulate:simulate",
    ),
    "replay": Verb(
        "Live through a recording again, and find the answer that has spoilt a round.", "gateway", "folkmoot_cli.replay:replay"
    ),
    "task.list": Verb("List the tasks of a cloud.", "cli", "folkmoot_cli.task:listing"),
    "task.publish": Verb("Upload a task.", "cli", "folkmoot_cli.task:publish"),
    "task.show": Verb("Show a task.", "cli", "folkmoot_cli.task:show"),
    "task.inspect": Verb(
        "Show what is in a bundle, and what it takes on this machine.", "device", "folkmoot_cli.bundle:inspect"
    ),
    "task.check": Verb(
        "Train the first steps of a bundle on this machine, and compare with what TensorFlow found.",
        "device",
        "folkmoot_cli.bundle:check",
    ),
    "plan": Verb("Predict what a run would take, from what has been measured of the fleet.", "cli", "folkmoot_cli.plan:plan"),
    "run.start": Verb("Start a run.", "cli", "folkmoot_cli.run:start"),
    "run.watch": Verb("Watch a run until it ends.", "cli", "folkmoot_cli.run:watch"),
    "run.list": Verb("List the runs.", "cli", "folkmoot_cli.run:listing"),
    "run.show": Verb("Show a run and its rounds, or who took part in one of them.", "cli", "folkmoot_cli.run:show"),
    "run.pause": Verb("Pause a run after the round that is open.", "cli", "folkmoot_cli.run:pause"),
    "run.resume": Verb("Go on with a paused run.", "cli", "folkmoot_cli.run:resume"),
    "run.stop": Verb("Stop a run for good.", "cli", "folkmoot_cli.run:stop"),
    "run.more": Verb("Give a run one more round.", "cli", "folkmoot_cli.run:more"),
    "model.list": Verb("List the models.", "cli", "folkmoot_cli.model:listing"),
    "model.pull": Verb("Download a model.", "cli", "folkmoot_cli.model:pull"),
    "model.promote": Verb("Make a model the one of its task that is meant to be used.", "cli", "folkmoot_cli.model:promote"),
    "model.rollback": Verb("Promote again what was promoted before.", "cli", "folkmoot_cli.model:rollback"),
    "author": Verb(
        "Compile a Keras model into a bundle: a program that devices train, its weights, and what they mean.", "author"
    ),
}


class Later(TyperCommand):
    """A command that is known by name and summary until somebody uses it."""

    def __init__(self, path: str, verb: Verb, source: metadata.EntryPoint) -> None:
        super().__init__(path.rpartition(".")[2], short_help=verb.summary, help=verb.summary)
        self._path = path.replace(".", " ")
        self._verb = verb
        self._source = source

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Has the command itself read `args`; it is what the context is of. Raises UserFault where an extra is missing."""
        return self.load().make_context(info_name, args, parent, **extra)

    def load(self) -> TyperCommand | TyperGroup:
        """Gives the command itself. Raises UserFault where an extra is missing."""
        try:
            target = self._source.load()
        except ModuleNotFoundError as error:
            if (error.name or "folkmoot").startswith("folkmoot"):
                raise  # ours: that is a bug
            brings = f"folkmoot[{self._verb.extra}]" if self._verb.extra else str(error.name)
            raise UserFault(f"`folkmoot {self._path}` needs {error.name}: pip install '{brings}'") from None
        return _command(self.name or "", target)


class Tree(TyperGroup):
    """The whole command line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for path, verb, source in commands():
            group, _, name = path.rpartition(".")
            self._branch(group).add_command(Later(path, verb, source), name)

    def _branch(self, name: str) -> TyperGroup:
        if not name:
            return self
        found = self.commands.get(name)
        if not isinstance(found, TyperGroup):
            found = TyperGroup(name=name, help=GROUPS.get(name, ""), no_args_is_help=True, rich_markup_mode="rich")
            self.add_command(found)
        return found


def commands() -> list[tuple[str, Verb, metadata.EntryPoint]]:
    """Gives every command: its path with dots, what is listed of it, and where it is. Those of others come last."""
    foreign = {point.name: point for point in metadata.entry_points(group=GROUP)}
    found = []
    for path, verb in VERBS.items():
        source = metadata.EntryPoint(path, verb.source, GROUP) if verb.source else foreign.get(path)
        if source is not None:
            found.append((path, verb, source))
    return found + [(path, Verb(_origin(foreign[path])), foreign[path]) for path in sorted(foreign.keys() - VERBS.keys())]


def _origin(point: metadata.EntryPoint) -> str:
    return f"From {point.dist.name}." if point.dist else ""


def _command(name: str, target: typer.Typer | Callable[..., Any]) -> TyperCommand | TyperGroup:
    if isinstance(target, typer.Typer):
        return typer.main.get_group(target)
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(name)(_awaited(target))
    command = typer.main.get_command(app)
    assert isinstance(command, TyperCommand)  # one function is one command
    return command


def _awaited(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Gives `verb`, which may be asynchronous, as a function that is done when it returns."""
    if not inspect.iscoroutinefunction(verb):
        return verb

    @functools.wraps(verb)
    def awaited(**parameters: Any) -> Any:
        return asyncio.run(verb(**parameters))

    return awaited
