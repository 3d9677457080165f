"""What both ends of a recording know."""

from random import Random

from folkmoot.flight.shelf import ENTRY, Shelf


def test_what_was_used_longest_ago_goes_first() -> None:
    shelf: Shelf[str] = Shelf(room=3 * ENTRY + 30)
    assert not any(shelf.put(name.encode(), name, 10) for name in "abc")
    assert shelf.put(b"a", "a", 10)
    assert not shelf.put(b"d", "d", 10)
    assert [shelf.get(name) for name in (b"a", b"b", b"c", b"d")] == ["a", None, "c", "d"]


def test_who_knew_more_before_still_knows_what_the_other_knows() -> None:
    """A reader has the parts before the one in which the recorder began to know again."""
    rng = Random(1)
    recorder: Shelf[int] = Shelf(room=20 * ENTRY)
    reader: Shelf[int] = Shelf(room=20 * ENTRY)
    for number in range(15):
        reader.put(b"old%d" % number, number, 100)
    for _ in range(5_000):
        name, size = b"%d" % rng.randrange(40), 100
        known = recorder.put(name, size, size)
        assert reader.put(name, size, size) or not known
