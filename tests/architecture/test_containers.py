"""The images, the units and compose.yaml keep their promises: nobody is root, everything is pinned, no secret is in a file."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml  # type: ignore[import-untyped]

from folkmoot import config
from folkmoot_cloud.settings import Settings as Cloud
from folkmoot_device.fleet import Settings as Fleet
from folkmoot_device.settings import Settings as Device
from folkmoot_gateway.settings import Settings as Gateway
from tests.architecture.conftest import ROOT

TIERS = ("cloud", "gateway", "device")
KINDS: dict[str, type[msgspec.Struct]] = {
    "FOLKMOOT_CLOUD": Cloud,
    "FOLKMOOT_GATEWAY": Gateway,
    "FOLKMOOT_DEVICE": Device,
    "FOLKMOOT_FLEET": Fleet,
}
VARIABLES = {name for prefix, kind in KINDS.items() for name in config.variables(kind, prefix)}


def instructions(tier: str) -> list[tuple[str, str]]:
    """Gives the instructions of a tier's Dockerfile: keyword and the rest, lines joined."""
    text = (ROOT / tier / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line and not line.startswith("#"))]


def final(tier: str) -> dict[str, str]:
    """Gives the last instruction of every kind in the stage that becomes the image."""
    found = instructions(tier)
    last = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return dict(found[last:])


def compose() -> dict[str, Any]:
    """Gives compose.yaml as it is written."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


@pytest.mark.parametrize("tier", TIERS)
def test_an_image_runs_as_nobody_special_and_knows_how_it_is(tier: str) -> None:
    image = final(tier)
    assert image["USER"] == "folkmoot"
    assert "HEALTHCHECK" in image
    assert image["ENTRYPOINT"] == '["folkmoot"]'


@pytest.mark.parametrize("tier", TIERS)
def test_an_image_holds_what_is_pinned_and_no_tools(tier: str) -> None:
    installs = [rest for word, rest in instructions(tier) if word == "RUN" and "pip" in rest and " install" in rest]
    assert all("--constraint constraints.txt" in rest or "--no-deps" in rest for rest in installs)
    assert "RUN" not in final(tier) or "install" not in final(tier)["RUN"]
    assert "--from=build" in final(tier)["COPY"]


@pytest.mark.parametrize("tier", TIERS)
def test_what_an_image_copies_is_there_and_in_the_build_context(tier: str) -> None:
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in instructions(tier):
        if word == "COPY" and "--from" not in rest:
            sources = rest.split()[:-1]
            assert set(sources) <= allowed
            assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("tier", TIERS)
def test_the_variables_of_an_image_and_of_a_unit_are_settings(tier: str) -> None:
    text = final(tier)["ENV"] + unit(tier)["Service"].get("Environment", "")
    assert set(re.findall(r"FOLKMOOT_\w+", text)) <= VARIABLES


def unit(tier: str) -> configparser.ConfigParser:
    """Gives the sections of a tier's systemd unit."""
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(ROOT / tier / f"folkmoot-{tier}.service")
    return parser


@pytest.mark.parametrize("tier", TIERS)
def test_a_unit_confines_its_program(tier: str) -> None:
    service = unit(tier)["Service"]
    assert service["DynamicUser"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == f"folkmoot-{tier}"
    assert f"/etc/folkmoot/{tier}.toml" in service["ExecStart"]


@pytest.mark.parametrize("tier", TIERS)
def test_systemd_understands_the_unit(tier: str, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd here to ask")
    # All but the program, which is where the unit expects it on the machine that it is for.
    text = re.sub("(?m)^ExecStart=.*", "ExecStart=/bin/true", (ROOT / tier / f"folkmoot-{tier}.service").read_text())
    file = tmp_path / f"folkmoot-{tier}.service"
    file.write_text(text)
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True, check=False).stderr
    assert [line for line in said.splitlines() if file.name in line] == []


def test_docker_compose_understands_the_file() -> None:
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed: `apt-get install docker-compose`")
    command = ["docker-compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_the_file_holds_no_secret() -> None:
    for name, service in compose()["services"].items():
        for variable in service.get("environment", {}):
            secret = re.search("PASSWORD|URL|TOKEN|KEY", variable)
            assert not secret or variable.endswith("_FILE"), f"{name}: {variable}"
    assert all(entry["file"].startswith("secrets/") for entry in compose()["secrets"].values())


def test_every_variable_of_the_file_is_a_setting() -> None:
    for name, service in compose()["services"].items():
        for variable in service.get("environment", {}):
            if variable.startswith("FOLKMOOT_"):
                assert variable in VARIABLES or variable.removesuffix("_FILE") in VARIABLES, f"{name}: {variable}"


def test_every_service_says_how_it_is_and_keeps_what_it_has_in_a_volume() -> None:
    document = compose()
    for name, service in document["services"].items():
        image_says = "build" in service
        assert image_says or "healthcheck" in service, name
        kept = [volume.partition(":")[0] for volume in service["volumes"] if not volume.startswith("./")]
        assert set(kept) <= document["volumes"].keys(), name
        assert kept, name


def test_only_the_api_can_be_reached_and_only_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in compose()["services"].items() if "ports" in service}
    assert ports == {"cloud": ["127.0.0.1:8080:8080"]}
