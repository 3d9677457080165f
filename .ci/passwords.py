"""Makes the secrets that compose.yaml hands to its services: `passwords.py FOLDER`. What is there already stays as it is.

The folder is for its owner alone; the files in it are not, for each is mounted by itself into a service with a user of its own.
"""

import secrets
import sys
from pathlib import Path

from folkmoot.link import mosquitto

USERS = ("folkmoot-cloud", "home-1")  # who logs in at the cloud's broker: the service, and the one gateway of compose.yaml


def make(folder: Path) -> None:
    """Writes what is missing."""
    folder.mkdir(mode=0o700, exist_ok=True)
    lines = []
    for user in USERS:
        word = _secret(folder / f"mqtt-{user}")
        lines.append(mosquitto.password(user, word, secrets.token_bytes(12)))
    word = _secret(folder / "database")
    _write(folder / "database-url", f"postgresql://folkmoot:{word}@database/folkmoot")
    _write(folder / "mqtt-passwords", "".join(lines))


def _secret(file: Path) -> str:
    if not file.exists():
        _write(file, secrets.token_hex(24))
    return file.read_text()


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o644)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
