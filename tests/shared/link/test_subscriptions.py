"""A topic goes to whom a filter lets hear it, and to nobody else: for each filter, what `matches` says."""

from itertools import product

import pytest

from folkmoot.link.rules import matches
from folkmoot.link.subscriptions import Subscriptions

LEVELS = ("a", "b", "", "+")
PATTERNS = ["/".join(levels) for length in (1, 2, 3) for levels in product(LEVELS, repeat=length)]
PATTERNS += ["#", *(f"{pattern}/#" for pattern in PATTERNS), "$SYS/+", "$SYS/#"]
TOPICS = ["/".join(levels) for length in (1, 2, 3, 4) for levels in product(("a", "b", "", "$SYS"), repeat=length)]


@pytest.fixture(scope="module")
def all_of_them() -> Subscriptions[str]:
    """Gives a subscriber for each filter, which is its name."""
    subscriptions: Subscriptions[str] = Subscriptions()
    for pattern in PATTERNS:
        subscriptions.add(pattern, pattern)
    return subscriptions


def test_every_topic_finds_the_filters_that_match(all_of_them: Subscriptions[str]) -> None:
    for topic in TOPICS:
        assert sorted(all_of_them.find(topic)) == sorted(pattern for pattern in PATTERNS if matches(pattern, topic)), topic


def test_who_has_left_is_not_found_and_others_are() -> None:
    subscriptions: Subscriptions[int] = Subscriptions()
    for one in (1, 2, 3):
        subscriptions.add("a/+", one)
    subscriptions.remove("a/+", 2)
    assert list(subscriptions.find("a/b")) == [1, 3]
    for one in (1, 3):
        subscriptions.remove("a/+", one)
    assert not list(subscriptions.find("a/b"))
