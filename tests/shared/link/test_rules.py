"""MQTT's own rules, held against paho's."""

from hypothesis import given
from hypothesis import strategies as some
from paho.mqtt.client import topic_matches_sub

from folkmoot.link.rules import matches

LEVELS = some.sampled_from(["", "a", "b", "$x", "+", "#"])


@given(some.lists(LEVELS, min_size=1, max_size=5), some.lists(LEVELS, min_size=1, max_size=5))
def test_subscriptions_match_as_paho_says(wanted: list[str], found: list[str]) -> None:
    wanted = [level for level in wanted[:-1] if level != "#"] + wanted[-1:]
    found = [level for level in found if level not in ("+", "#")] or ["a"]
    pattern, topic = "/".join(wanted), "/".join(found)
    if pattern and topic:
        assert matches(pattern, topic) == topic_matches_sub(pattern, topic)
