"""The configuration of Mosquitto as text."""

import base64
import hashlib
from pathlib import Path

import pytest

from folkmoot.errors import UserFault
from folkmoot.link.mosquitto import Certificates, Guard, Listener, acl, configuration, password

FOLDER = Path("/var/lib/folkmoot")


def test_an_open_broker_stays_on_this_machine() -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        assert "allow_anonymous true" in configuration("home", (Listener(1883, host),), FOLDER)
    for host in ("0.0.0.0", "::", "192.168.1.2", "broker.example"):
        with pytest.raises(UserFault, match="secure it"):
            configuration("home", (Listener(1883, host),), FOLDER)


def test_a_home_queues_less_than_the_cloud() -> None:
    home, cloud = (configuration(role, (Listener(1883),), FOLDER) for role in ("home", "cloud"))
    assert "max_queued_messages 1000\nmax_queued_bytes 8388608\n" in home
    assert "max_queued_messages 100000\nmax_queued_bytes 67108864\n" in cloud


def test_a_secured_listener_takes_the_identity_from_the_certificate() -> None:
    files = Certificates(Path("ca.crt"), Path("broker.crt"), Path("broker.key"), revoked=Path("crl.pem"))
    text = configuration("home", (Listener(8883, "0.0.0.0", files), Listener(1883)), FOLDER, Guard(Path("acl"), Path("pw")))
    secured, local = text.partition("listener 8883 0.0.0.0\n")[2].split("listener 1883 127.0.0.1\n")
    assert secured.splitlines() == [
        "cafile ca.crt",
        "certfile broker.crt",
        "keyfile broker.key",
        "crlfile crl.pem",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
    ]
    assert local == ""
    assert "allow_anonymous false\nacl_file acl\npassword_file pw\n" in text


def test_rules_for_members_are_patterns_and_stand_ahead_of_the_upper_end() -> None:
    for role in ("home", "cloud"):
        lines = acl(role, "upper", "gw1", "fl").splitlines()
        upper = lines.index("user upper")
        assert all(line.startswith("pattern ") for line in lines[:upper])
        assert lines[upper + 1].startswith("topic readwrite fl/v1/")


def test_a_password_is_kept_as_its_hash() -> None:
    line = password("gw1", "secret", b"0123456789ab")
    name, _, rest = line.strip().partition(":")
    _, form, rounds, salt, digest = rest.split("$")
    assert (name, form) == ("gw1", "7")
    expected = hashlib.pbkdf2_hmac("sha512", b"secret", base64.b64decode(salt), int(rounds))
    assert base64.b64decode(digest) == expected
    assert "secret" not in line
