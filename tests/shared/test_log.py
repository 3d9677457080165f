"""One event a line, for people and for machines."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from folkmoot.log import Outage, setup


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def said(*, json: bool) -> str:
    """Gives what is written for one warning and one error."""
    stream = io.StringIO()
    setup("warning", json=json, stream=stream)
    log = logging.getLogger("folkmoot.test")
    log.info("not said")
    log.warning("uplink %s", "lost", extra={"broker": "mqtt://h:1", "reason": 'said "no"', "tries": 3, "empty": ""})
    try:
        raise ValueError("inner")
    except ValueError:
        log.exception("failed")
    return stream.getvalue()


def test_a_line_for_people_has_fields_behind_the_event() -> None:
    first, second, *trace = said(json=False).splitlines()
    time, rest = first.split(" ", 1)
    assert time.endswith("Z")
    assert rest == r'WARNING folkmoot.test uplink lost broker=mqtt://h:1 reason="said \"no\"" tries=3 empty=""'
    assert second.endswith("ERROR folkmoot.test failed")
    assert trace[-1] == "ValueError: inner"


def test_a_line_for_machines_is_one_object() -> None:
    first, second = (json.loads(line) for line in said(json=True).splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "warning",
        "logger": "folkmoot.test",
        "event": "uplink lost",
        "broker": "mqtt://h:1",
        "reason": 'said "no"',
        "tries": 3,
        "empty": "",
    }
    assert second["traceback"].endswith("ValueError: inner")


def test_a_value_that_json_does_not_have_is_text() -> None:
    stream = io.StringIO()
    setup("info", json=True, stream=stream)
    logging.getLogger("t").info("x", extra={"path": ValueError("y")})
    assert json.loads(stream.getvalue())["path"] == "y"


def test_an_outage_is_news_once_each_way() -> None:
    outage = Outage()
    assert not outage.ends()
    assert [outage.begins(), outage.begins()] == [True, False]
    assert [outage.ends(), outage.ends()] == [True, False]
    assert outage.begins()
