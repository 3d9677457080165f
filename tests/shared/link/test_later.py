"""A module that is loaded when it is first used, and looks as if it had always been there."""

import subprocess
import sys

import pytest

PRELUDE = "import sys; import folkmoot.link.mqtt; "


def run(program: str) -> str:
    """Gives what a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, check=True).stdout.strip()


def test_a_process_with_a_link_has_no_http_and_no_email_in_it() -> None:
    heavy = "[name for name in ('http.client', 'urllib.response', 'urllib.error') if name in sys.modules]"
    assert run(f"print({heavy})") == "[]"


@pytest.mark.parametrize(
    "use",
    [
        "import urllib.request; print(urllib.request.getproxies.__module__)",
        "from urllib.request import getproxies; print(getproxies.__module__)",
        "from urllib import request; request.getproxies(); print(request.getproxies.__module__)",
        "from paho.mqtt import client; client.urllib.request.getproxies(); print(client.urllib.request.Request.__module__)",
        "import importlib; print(importlib.import_module('urllib.request').getproxies.__module__)",
    ],
)
def test_whoever_wants_it_gets_the_real_one(use: str) -> None:
    assert run(use) == "urllib.request"


def test_it_is_let_be_where_it_is_there_already() -> None:
    program = "import sys, urllib.request; real = sys.modules['urllib.request']; import folkmoot.link; "
    program += "print(sys.modules['urllib.request'] is real)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "True\n"
