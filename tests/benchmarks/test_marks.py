"""Start-up and pace are told apart, and what passes is counted, whatever the pieces that it comes in."""

import pytest

from benchmarks import marks
from benchmarks.marks import Marks
from benchmarks.scale import exponent
from benchmarks.wire import Packets


def test_a_slow_first_round_is_part_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    ages = iter((30.0, 32.0, 34.0, 39.0, 41.0, 43.0))  # three seconds of something else in the middle
    monkeypatch.setattr(marks, "age", lambda: next(ages))
    found = Marks()
    for number in range(1, 7):
        found.mark(number)
    figures = found.figures(clients=100)
    assert figures["round_s"] == pytest.approx(2.5, abs=0.5)
    assert figures["clients_per_s"] == pytest.approx(100 / figures["round_s"])
    assert figures["start_s"] == pytest.approx(27.5, abs=2)


def test_a_line_goes_through_points_that_lie_on_one() -> None:
    assert marks.line([(number, 5 + 0.25 * number) for number in (1, 2, 4, 8)]) == (pytest.approx(0.25), pytest.approx(5))
    with pytest.raises(ValueError, match="two points"):
        marks.line([(1, 1.0)])


def test_a_process_has_an_age() -> None:
    assert 0 < marks.age() < 86_400


def test_the_exponent_of_a_power_is_its_own() -> None:
    assert exponent({size: 3 * size**1.1 for size in (1_000, 3_160, 10_000)}) == pytest.approx(1.1)


@pytest.mark.parametrize("piece", [1, 2, 3, 1_000])
def test_packets_are_counted_in_whatever_pieces_they_come(piece: int) -> None:
    connect, ping, long = b"\x10\x02ab", b"\xc0\x00", b"\x32" + bytes((0xAC, 0x02)) + bytes(300)
    stream = connect + ping + long + ping + b"\x30\x01x" + long
    packets = Packets()
    for at in range(0, len(stream), piece):
        packets.feed(stream[at : at + piece])
    assert (packets.size, packets.published) == (len(stream), 3)
