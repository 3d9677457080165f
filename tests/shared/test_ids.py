import uuid

import pytest

from folkmoot import ids
from folkmoot.errors import UserFault


def test_a_fresh_id_is_a_uuid_of_version_7() -> None:
    made = uuid.UUID(bytes=ids.fresh())
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


def test_ids_sort_by_the_time_of_their_making_and_are_never_alike() -> None:
    made = [ids.fresh() for _ in range(10_000)]
    assert [one[:8] for one in made] == sorted(one[:8] for one in made)
    assert len(set(made)) == len(made)


def test_an_id_as_text_may_be_a_topic_level() -> None:
    text = ids.text(ids.fresh())
    assert ids.check(text, "an id") == text
    assert len(text) == 26


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "ü", "a" * 33, "a\n"])
def test_a_name_that_no_topic_may_hold_is_refused(name: str) -> None:
    with pytest.raises(UserFault, match="a device's id"):
        ids.check(name, "a device's id")
