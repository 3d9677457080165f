"""Keeps the constraints files: `pins.py write` resolves them, `pins.py check` says whether they still hold.

A constraints file pins every distribution that an extra of pyproject.toml resolves to on Linux, for every Python that the
project supports, so that two installs a month apart are the same. `write` changes as few pins as it can, `write --upgrade`
takes the newest of everything; both run uv from PyPI in a temporary environment.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
RESOLVER = "uv==0.13.9"

# What there is to resolve for: other systems would only make the pins longer, and hold them back.
SCOPE = ("sys_platform == 'linux'", "python_full_version < '3.14'")

BACKEND = (
    # Asked for by the build backend when it makes an editable install.
    "editables",
    # ai-edge-litert asks for it on every Python, and uv does not read the upper end of `requires-python`: 1.3 stops at 3.10.
    "backports.strenum<1.3; python_version >= '3.12'",
)
AUTHORING = (
    # The converter whose bytes the bundles of folkmoot/tasks are; there is none for 3.13.
    "tensorflow-cpu==2.19.1; python_version < '3.13'",
    # What .ci/venv installs beside the extra, to run tests/author: the other runtime, and what runs tests.
    "ai-edge-litert",
    "pytest",
    "pytest-asyncio",
    "pytest-timeout",
    "pytest-xdist",
)


@dataclass(frozen=True, slots=True)
class Pinned:
    """A constraints file and what it is for."""

    file: str
    extra: str
    beside: tuple[str, ...]  # what is pinned with it


FILES = (Pinned("constraints.txt", "dev", BACKEND), Pinned("constraints-author.txt", "author", BACKEND + AUTHORING))

Pins = dict[str, list[Requirement]]
Markers = dict[str, str]


def project() -> dict[str, list[str]]:
    """Gives the requirements by extra; those without an extra, and the build backend's, under the empty name."""
    text = tomllib.loads((ROOT / "pyproject.toml").read_text())
    own = text["project"]
    return {"": own["dependencies"] + text["build-system"]["requires"], **own["optional-dependencies"]}


def direct(extras: dict[str, list[str]], extra: str) -> Iterator[Requirement]:
    """Yields what an extra asks for by itself, with the extras that it names followed and the plain requirements."""
    for text in extras[extra]:
        requirement = Requirement(text)
        if requirement.name == "folkmoot":
            for inner in sorted(requirement.extras):
                yield from direct(extras, inner)
        else:
            yield requirement
    if extra:
        yield from direct(extras, "")


def read(file: Path) -> tuple[Pins, list[str]]:
    """Gives the pins of a file by name, and what in it is no pin: an option, an address, a path, a range."""
    pins: Pins = {}
    wrong = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        text = line.partition("#")[0].strip()
        if "://" in line or "--" in text or text.startswith(("-", ".", "/")):
            wrong.append(f"{file.name}:{number}: a constraints file holds pins and nothing else: {line}")
            continue
        if not text:
            continue
        try:
            pin = Requirement(text)
        except InvalidRequirement:
            wrong.append(f"{file.name}:{number}: no requirement: {line}")
            continue
        if [part.operator for part in pin.specifier] != ["=="]:
            wrong.append(f"{file.name}:{number}: pins no single version: {line}")
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins, wrong


def here() -> Markers:
    """Gives the markers of this interpreter."""
    return {name: str(value) for name, value in default_environment().items()}


def there(python: str) -> Markers:
    """Gives the markers of CPython of that version on Linux, x86_64."""
    return {
        **here(),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
    }


def holds(requirement: Requirement, markers: Markers, extras: Iterable[str] = ()) -> bool:
    """Says whether a requirement counts where these markers hold, for one of these extras or without any."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras))


def versions(pins: Pins, name: str, markers: Markers) -> list[str]:
    """Gives the versions that a distribution is pinned to where these markers hold: one, if all is well."""
    return [next(iter(pin.specifier)).version for pin in pins.get(canonicalize_name(name), []) if holds(pin, markers)]


def unmet(wanted: Iterable[Requirement], pins: Pins, python: str) -> Iterator[str]:
    """Yields what is asked for on that Python without exactly one pin that satisfies it."""
    markers = there(python)
    for requirement in wanted:
        if holds(requirement, markers):
            pinned = versions(pins, requirement.name, markers)
            if len(pinned) != 1 or not requirement.specifier.contains(pinned[0], prereleases=True):
                yield f"Python {python} asks for {requirement}, pinned is {pinned or 'nothing'}"


def strayed(wanted: Iterable[Requirement], pins: Pins) -> Iterator[str]:
    """Yields every distribution that this environment has in another version than its pin, from the roots downwards."""
    markers = here()
    waiting = [(root.name, frozenset(root.extras)) for root in wanted if holds(root, markers)]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        name, extras = node
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            yield f"{name} is not installed"
            continue
        pinned = versions(pins, name, markers)
        if pinned != [found.version]:
            yield f"{name} {found.version} is installed, pinned is {pinned or 'nothing'}"
        for text in found.requires or []:
            inner = Requirement(text)
            if holds(inner, markers, extras):
                waiting.append((inner.name, frozenset(inner.extras)))


def check() -> int:
    """Says what does not hold, one line each; gives the exit code."""
    extras = project()
    wrong = []
    for pinned in FILES:
        pins, faults = read(ROOT / pinned.file)
        wanted = [*direct(extras, pinned.extra), *map(Requirement, pinned.beside)]
        wrong += faults
        for python in PYTHONS:
            wrong += [f"{pinned.file}: {line}" for line in unmet(wanted, pins, python)]
        if pinned.extra == "dev":
            wrong += [f"{pinned.file}: {line}" for line in strayed(wanted, pins)]
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        print(
            "`make setup` installs what is pinned; `make constraints` pins anew what pyproject.toml asks for.", file=sys.stderr
        )
    return 1 if wrong else 0


def write(*options: str) -> int:
    """Resolves every constraints file. `options` are uv's."""
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    scope = f'\n[tool.uv]\nenvironments = ["{" and ".join(SCOPE)}"]\n'
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        venv.create(folder / "uv", with_pip=True)
        programs = folder / "uv" / "bin"
        subprocess.run([programs / "pip", "install", "--quiet", RESOLVER], check=True)  # noqa: S603 - our own pinned tool
        (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + scope)
        for pinned in FILES:
            shutil.copy(ROOT / pinned.file, folder)  # uv keeps what it finds there, where it can
            command = [
                *(str(programs / "uv"), "pip", "compile", "--quiet", "--universal", "--python-version", PYTHONS[0]),
                *("--extra", pinned.extra, "--no-annotate", "--no-emit-package", "folkmoot", *options),
                *("--custom-compile-command", "make constraints", "--output-file", pinned.file, "pyproject.toml", "-"),
            ]
            beside = "\n".join([*backend, *pinned.beside])
            subprocess.run(command, cwd=folder, input=beside, text=True, check=True)  # noqa: S603 - see above
            (ROOT / pinned.file).write_text(_bare((folder / pinned.file).read_text()))
            print(f"{pinned.file}: written")
    return 0


def _bare(text: str) -> str:
    """Gives pins without what is said of each of them: that it is for the scope."""
    for clause in map(re.escape, SCOPE):
        text = re.sub(f" and {clause}|{clause} and | ; {clause}$", "", text, flags=re.MULTILINE)
    return text


if __name__ == "__main__":
    sys.exit({"write": write, "check": check}[sys.argv[1]](*sys.argv[2:]))
