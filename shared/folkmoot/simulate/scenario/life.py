"""One device over a whole run: its machine, its power, and what befalls it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from folkmoot.link.hub import Hub
from folkmoot.link.hub_packets import Traffic
from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.power import Power
from folkmoot.simulate.scenario.profile import Device
from folkmoot.simulate.scenario.tape import Tape
from folkmoot.simulate.scenario.trace import State
from folkmoot.simulate.scenario.trade import Job

BOOTS = (500, 5_000)  # ms, drawn evenly
LATE = (50, 150)  # of a branch that comes up later than others: all say at one time then that they are there


@dataclass(frozen=True, slots=True)
class Tally:
    """What one device has come to."""

    device: Device
    home: str
    examples: int
    jobs: list[Job]
    traffic: Traffic
    away_ms: int
    reboots: int
    off_ms: int  # for want of power
    battery_j: float | None  # that are left; None: it has no battery


class Life:
    """One device, and what befalls it."""

    __slots__ = ("_agenda", "_device", "_hub", "_power", "away_ms", "host", "reboots")

    def __init__(self, device: Device, host: Any, hub: Hub, begins: int) -> None:
        """`host`: its machine; `hub`: its home's broker; `begins`: from when on its branch comes up, in ms."""
        self._device, self.host, self._hub, self._agenda = device, host, hub, hub.agenda
        self.away_ms = self.reboots = 0
        hub.shapes[device.name] = device.shape
        kind = device.kind
        host.clock = profile.clock(kind.clock, device.seed)
        self._power = Power(device, host, hub)
        self._agenda.at(begins + Random(device.seed).randint(*(LATE if begins else BOOTS)), self._power.start)  # noqa: S311  # repeatable
        for number, (absence, befall) in enumerate(((kind.away, self._leave), (kind.reboot, self._reboot))):
            if absence is not None:
                self._next(Tape(profile.absences, absence, device.seed + number), befall)
        course = profile.course(device)
        if course is not None:
            self._next(Tape(course.absences), self._leave)
            self._follow(Tape(course.states))

    def tally(self, home: str, now: int) -> Tally:
        """Gives what it has come to."""
        trade, name = self.host.trade, self._device.name
        traffic = (self._hub.traffic or {}).get(name, Traffic())
        away = self.away_ms - max(0, self._hub.away.get(name, 0) - now)
        off, left = self._power.off_ms(now), self._power.left(now)
        return Tally(self._device, home, trade.hello.examples, trade.jobs, traffic, away, self.reboots, off, left)

    def _next(self, absences: Iterator[tuple[int, int]], befall: Callable[[int], None]) -> None:
        following = next(absences, None)
        if following is not None:
            gone, back = following
            self._agenda.at(gone, self._befall, back, absences, befall)

    def _befall(self, back: int, absences: Iterator[tuple[int, int]], befall: Callable[[int], None]) -> None:
        befall(back)
        self._next(absences, befall)

    def _leave(self, back: int) -> None:
        now, before = self._agenda.now, self._hub.away.get(self._device.name, 0)
        until = max(before, back)
        self.away_ms += until - max(before, now)
        self._hub.leave(self._device.name, until)

    def _reboot(self, back: int) -> None:
        if self.host.up:
            self.reboots += 1
            self._power.stop()
            self._agenda.at(back, self._power.start)

    def _follow(self, states: Iterator[tuple[int, State]]) -> None:
        following = next(states, None)
        if following is not None:
            at, state = following
            self._agenda.at(at, self._heed, state, states)

    def _heed(self, state: State, states: Iterator[tuple[int, State]]) -> None:
        self._power.heed(state)
        self._line(state)
        self._follow(states)

    def _line(self, state: State) -> None:
        """Gives the device's line the rate that its trace says: kbit/s are bit/ms."""
        shape = self._device.shape
        up, down = (
            kept if told is None else told / 8 for told, kept in ((state.up_kbps, shape.up), (state.down_kbps, shape.down))
        )
        fresh = replace(shape, up=up, down=down)
        if fresh != self._hub.shapes[self._device.name]:
            self._hub.reshape(self._device.name, fresh)
