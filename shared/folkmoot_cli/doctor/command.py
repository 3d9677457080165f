"""`folkmoot doctor`."""

import dataclasses
import tomllib
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from folkmoot import config
from folkmoot.errors import UserFault
from folkmoot.link.settings import Broker
from folkmoot_cli import output
from folkmoot_cli.doctor import broker, machine
from folkmoot_cli.doctor.finding import Finding
from folkmoot_cli.options import AsJson

GROUP = "folkmoot.settings"  # entry points: modules with a type `Settings` and the PREFIX of its variables
STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}


class Tier(StrEnum):
    """Whose settings."""

    DEVICE = "device"
    GATEWAY = "gateway"
    CLOUD = "cloud"


@dataclasses.dataclass(frozen=True, slots=True)
class Patient:
    """What is to be examined."""

    brokers: dict[str, Broker]
    folder: Path = Path()
    name: str = ""  # who we are to the brokers
    namespace: str = "fl"
    trains: bool = False


def _panel(help: str, **extra: Any) -> Any:
    return typer.Option(help=help, rich_help_panel="One broker, without settings", **extra)


async def doctor(
    file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings of a device, a gateway or the cloud, TOML.")
    ] = None,
    tier: Annotated[
        Tier | None, typer.Option(help="Whose settings; without a file, those in the variables FOLKMOOT_TIER_*.")
    ] = None,
    host: Annotated[str, _panel("Where the broker is.")] = "127.0.0.1",
    port: Annotated[int, _panel("Its port.", min=1, max=65_535)] = 1883,
    tls: Annotated[bool, _panel("TLS, believing the system's authorities.")] = False,
    ca: Annotated[Path | None, _panel("Whom to believe that it is the broker; PEM.")] = None,
    certificate: Annotated[Path | None, _panel("Ours; PEM.")] = None,
    key: Annotated[Path | None, _panel("Its private key; PEM.")] = None,
    username: Annotated[str, _panel("Goes with --password-file.")] = "",
    password_file: Annotated[Path | None, _panel("Holds the password.")] = None,
    as_json: AsJson = False,
) -> int:
    """Say what is missing where something does not work.

    Is a client of the broker for a moment: reads its limits, sends itself 64 KiB, and looks at certificate, disk, runtime and
    clock. The exit code is 1 where something is wrong. A broker that knows its clients by certificate takes the doctor for
    the client itself, which is away for that moment.

    Example: folkmoot doctor --config gateway.toml
    """
    if file is not None or tier is not None:
        patient = of_settings(file, tier)
    else:
        where = Broker(
            host=host,
            port=port,
            tls=tls,
            ca=ca,
            certificate=certificate,
            key=key,
            username=username,
            password_file=password_file,
        )
        patient = Patient({"broker": where})
    findings = list(machine.examine(patient.folder, trains=patient.trains))
    for part, where in patient.brokers.items():
        findings += [finding async for finding in broker.examine(part, where, patient.name, patient.namespace)]
    well = all(finding.state != "wrong" for finding in findings)
    if as_json:
        output.document({"ok": well, "findings": [dataclasses.asdict(finding) for finding in findings]})
    else:
        _tell(findings)
    return 0 if well else 1


def of_settings(file: Path | None, tier: Tier | None) -> Patient:
    """Gives what a settings file, or the environment, says. Raises UserFault where it says nothing sound."""
    known = {point.name: point for point in metadata.entry_points(group=GROUP)}
    module = known[tier or _guess(file, known)].load()
    settings = config.load(file, module.Settings, module.PREFIX)
    fields = {field.name: getattr(settings, field.name) for field in msgspec.structs.fields(settings)}
    return Patient(
        brokers={name: value for name, value in fields.items() if isinstance(value, Broker)},
        folder=fields.get("folder") or fields.get("data") or Path(),
        name=fields.get("id", ""),
        namespace=fields["namespace"],
        trains="training" in fields,
    )


def _guess(file: Path | None, known: dict[str, metadata.EntryPoint]) -> str:
    """Gives the tier whose settings have the keys that the file has, or most of them."""
    try:
        keys = set(tomllib.loads(file.read_text("utf-8"))) if file else set()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        keys = set()  # the tier's own reading says what is wrong
    fits: dict[str, tuple[int, int]] = {}
    for name, point in known.items():
        fields = msgspec.structs.fields(point.load().Settings)
        foreign = keys - {field.encode_name for field in fields}
        missing = {field.encode_name for field in fields if field.required} - keys
        fits[name] = (len(foreign), len(missing))
    if not fits:
        raise UserFault("no settings are known: is Folkmoot installed?")
    return min(sorted(fits), key=lambda name: fits[name])


def _tell(findings: list[Finding]) -> None:
    console = output.console()
    for finding in findings:
        head = f"{finding.part} {finding.name}" if finding.part != machine.PART else finding.name
        console.print(f"[{STYLES[finding.state]}]{finding.state:<6}[/] {head:<20} ", end="")
        console.print(finding.says, markup=False)
