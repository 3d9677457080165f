"""A broker that is elsewhere behaves as one that is here: both sides on agendas of their own, moved on in windows."""

from random import Random

import pytest

from folkmoot.link.agenda import Agenda
from folkmoot.link.face import Arrived, Connected, Disconnected, Last, Session, Stopped, Unreachable
from folkmoot.link.far import Trunk, Uplink
from folkmoot.link.hub import Hub
from folkmoot.link.hub_packets import Down, Lost, Shape, Up
from folkmoot.link.rules import publish_size
from tests.kit.party import Party

LATENCY = 20


class Ways:
    """Clients that are far from their broker."""

    def __init__(self, *clients: str, shape: Shape | None = None) -> None:
        shape = shape or Shape(LATENCY)
        self.here, self.there = Agenda(), Agenda()
        self.hub = Hub(Random(1), agenda=self.there)
        self._up: list[tuple[int, str, int, Up | Lost]] = []
        self._down: list[tuple[int, str, int, Down | Lost]] = []
        self.uplinks: dict[str, Uplink] = {}
        self._trunks: dict[str, Trunk] = {}
        for name in clients:
            self.uplinks[name] = Uplink(
                self.here, Random(2), shape, lambda at, wire, packet, name=name: self._up.append((at, name, wire, packet))
            )
            self._trunks[name] = Trunk(
                self.hub, name, shape, lambda at, wire, packet, name=name: self._down.append((at, name, wire, packet))
            )

    def run(self, until: int) -> None:
        """Moves both sides on, a window at a time."""
        for horizon in range(LATENCY, until + 1, LATENCY):
            up, self._up = self._up, []
            down, self._down = self._down, []
            for at, name, wire, packet in up:
                assert at >= self.there.now, "nothing comes from the past"
                self.there.at(at, lambda n=name, w=wire, p=packet: self._trunks[n].receive(w, p))
            for at, name, wire, packet in down:
                assert at >= self.here.now, "nothing comes from the past"
                self.here.at(at, lambda n=name, w=wire, p=packet: self.uplinks[n].receive(w, p))
            self.here.run(horizon - 1)
            self.there.run(horizon - 1)


def test_what_is_said_arrives_at_the_other_end() -> None:
    ways = Ways("a", "b")
    a, b = Party(ways.uplinks["a"], "a", "to/a"), Party(ways.uplinks["b"], "b", "to/b")  # type: ignore[arg-type]
    ways.run(200)
    for number in range(20):
        a.say(number, "to/b", b"%d" % number)
    b.say("x", "to/a", b"back")
    ways.run(3_000)
    assert b.heard == [b"%d" % number for number in range(20)]
    assert a.heard == [b"back"]
    assert a.on_their_way == b.on_their_way == 0


def test_a_connection_that_is_cut_comes_back_when_it_may_and_the_session_has_kept_what_came() -> None:
    ways = Ways("a", "b")
    will = lambda: Last("gone/b", b"lost", retain=False)  # noqa: E731
    a = Party(ways.uplinks["a"], "a", "gone/b")  # type: ignore[arg-type]
    b = Party(ways.uplinks["b"], "b", session=Session(client="b", filters=("to/b",), will=will))  # type: ignore[arg-type]
    ways.run(200)
    ways.uplinks["b"].cut(10_000)
    ways.run(1_000)
    a.say("x", "to/b", b"later")
    ways.run(9_000)
    assert a.heard == [b"lost"]
    assert b.heard == []
    ways.run(20_000)
    assert b.heard == [b"later"]
    kinds = [type(event) for event in b.events]
    assert kinds[:2] == [Connected, Disconnected]
    assert Unreachable not in kinds[:2]
    assert [event.resumed for event in b.events if isinstance(event, Connected)] == [False, True]


def test_a_newer_connection_of_the_same_name_ends_the_older_one_at_both_sides() -> None:
    ways = Ways("a")
    older = Party(ways.uplinks["a"], "a", "to/a")  # type: ignore[arg-type]
    ways.run(200)
    newer = Party(ways.uplinks["a"], "a", "to/a")  # type: ignore[arg-type]
    ways.run(400)
    assert [type(event) for event in older.events][:2] == [Connected, Disconnected]
    assert next(type(event) for event in newer.events) is Connected


def test_a_goodbye_is_said_and_no_will() -> None:
    ways = Ways("a", "b")
    a = Party(ways.uplinks["a"], "a", "gone/#")  # type: ignore[arg-type]
    will = lambda: Last("gone/b", b"lost", retain=False)  # noqa: E731
    b = Party(ways.uplinks["b"], "b", session=Session(client="b", will=will))  # type: ignore[arg-type]
    ways.run(200)
    b.link.stop(Last("gone/b", b"bye", retain=False))
    ways.run(1_000)
    assert a.heard == [b"bye"]
    assert isinstance(b.events[-1], Stopped)


@pytest.mark.parametrize("length", [1, 1_000, 20_000])
def test_a_line_takes_as_long_as_its_rate_says(length: int) -> None:
    rate = 2.0  # bytes per ms
    ways = Ways("a", "b", shape=Shape(LATENCY, up=rate, down=rate))
    a, b = Party(ways.uplinks["a"], "a"), Party(ways.uplinks["b"], "b", "to/b")  # type: ignore[arg-type]
    ways.run(2_000)
    start, heard = ways.here.now, []
    a.say("x", "to/b", bytes(length))
    while not (heard := [event for event in b.events if isinstance(event, Arrived)]):
        ways.run(LATENCY * (ways.here.now // LATENCY + 2))
        assert ways.here.now < 100_000
    took = ways.here.now - start
    alone = publish_size("to/b", bytes(length), qos=1, expires=False, v5=True) / rate
    assert heard
    assert 2 * alone + 2 * LATENCY <= took <= 2 * alone + 6 * LATENCY
