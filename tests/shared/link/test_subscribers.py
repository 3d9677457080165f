"""Who has subscribed to what: what is found is what each filter by itself says."""

from itertools import product

import pytest

from folkmoot.link.rules import matches
from folkmoot.link.subscribers import Subscribers

LEVELS = ("a", "b", "$x", "+", "")
TOPICS = ["/".join(one) for count in (1, 2, 3) for one in product(("a", "b", "$x", ""), repeat=count) if any(one)]
FILTERS = ["/".join(one) for count in (1, 2, 3) for one in product(LEVELS, repeat=count) if any(one)]
FILTERS += ["#", *(f"{one}/#" for one in FILTERS if one.count("/") < 2)]


def test_a_topic_finds_the_filters_that_match_it() -> None:
    kept: Subscribers[str] = Subscribers()
    for number, pattern in enumerate(FILTERS):
        kept.add(pattern, number, pattern)
    for topic in TOPICS:
        found = [one for held in kept.of(topic) for one in held.values()]
        assert sorted(found) == sorted(pattern for pattern in FILTERS if matches(pattern, topic)), topic


@pytest.mark.parametrize("pattern", ["a/b", "a/+", "a/#", "#"])
def test_who_has_left_is_not_found_and_others_are(pattern: str) -> None:
    kept: Subscribers[str] = Subscribers()
    kept.add(pattern, 1, "one")
    kept.add(pattern, 2, "two")
    kept.remove(pattern, 1)
    assert [dict(held) for held in kept.of("a/b")] == [{2: "two"}]
    kept.remove(pattern, 2)
    assert not list(kept.of("a/b"))
