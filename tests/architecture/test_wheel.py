"""What is in the wheel is what is in the source folders: all of it, and nothing else."""

import zipfile
from email.parser import Parser
from pathlib import Path

from tests.architecture.conftest import ROOT

PACKAGES = (
    "shared/folkmoot",
    "shared/folkmoot_cli",
    "cloud/folkmoot_cloud",
    "gateway/folkmoot_gateway",
    "device/folkmoot_device",
)


def sources() -> set[str]:
    """Gives the files of the five packages, as the wheel names them."""
    found = set()
    for package in PACKAGES:
        folder = ROOT / package
        files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        found |= {str(path.relative_to(folder.parent)) for path in files}
    return found


def test_the_wheel_holds_every_file_of_every_package_and_nothing_beside(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == sources()


def test_every_package_says_that_it_is_typed(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"{package.split('/')[1]}/py.typed" for package in PACKAGES} <= names


def test_the_wheel_brings_the_command_and_the_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    assert "folkmoot = folkmoot_cli.__main__:main" in archive.read(f"{folder}/entry_points.txt").decode()
    assert archive.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_an_extra_for_every_role_stands_in_the_metadata(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(archive.read(name).decode())
    assert set(metadata.get_all("Provides-Extra", [])) >= {"device", "gateway", "cloud", "demo", "author", "dev"}
