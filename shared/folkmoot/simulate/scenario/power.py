"""What a device runs on: it takes part only where its kind's needs are met, and an empty battery turns it off."""

from collections.abc import Iterator
from typing import Any

from folkmoot.link.hub import Hub
from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.document import Needs
from folkmoot.simulate.scenario.profile import Device
from folkmoot.simulate.scenario.tape import Tape
from folkmoot.simulate.scenario.trace import State

LOOK = 60_000  # ms between two looks at a battery: as often as a device says that it is there
DAY = 24 * 3_600_000  # ms


class Power:
    """The power of one device's machine."""

    __slots__ = (
        "_agenda",
        "_battery",
        "_charging",
        "_device",
        "_host",
        "_off_ms",
        "_off_since",
        "_paid",
        "_percent",
        "_traffic",
    )

    def __init__(self, device: Device, host: Any, hub: Hub) -> None:
        self._device, self._host, self._agenda = device, host, hub.agenda
        self._traffic = hub.tally(device.name)
        self._paid = 0  # bytes that the battery has been drained for
        self._charging: bool | None = None  # None: nothing says so
        self._percent: float | None = None  # by its trace
        self._off_ms = 0  # for want of power
        self._off_since: int | None = None
        self._battery = profile.battery(device)
        settings = device.kind.battery
        if self._battery is not None and settings is not None:
            if self._battery.level <= 0:
                self._off_since = 0
            if settings.charges is not None:
                self._charge(Tape(_charges, *settings.charges))
            self._agenda.at(0, self._look)

    def left(self, now: int) -> float | None:
        """Gives what is left in the battery at the end of the run, in joules; None without one."""
        if self._battery is None:
            return None
        self._settle(max(now, self._battery.now))
        return self._battery.level

    def off_ms(self, now: int) -> int:
        """Gives for how long the machine was off, for want of power."""
        return self._off_ms + (0 if self._off_since is None else max(0, now - self._off_since))

    def start(self) -> None:
        """Turns the machine on, where there is power and it is off."""
        if not self._host.up and self._off_since is None:
            self._settle(self._agenda.now)
            self._host.start()
            self._judge()

    def stop(self) -> None:
        """Ends the machine in whatever it does."""
        self._settle(self._agenda.now)
        self._host.kill()
        self._host.trade.stop()

    def heed(self, state: State) -> None:
        """Takes what the device's trace says from now on."""
        self._percent = state.battery
        if state.charging is not None:
            self._set(state.charging)
        self._judge()

    def _charge(self, turns: Iterator[tuple[int, bool]]) -> None:
        at, on = next(turns)
        self._agenda.at(at, self._turn, on, turns)

    def _turn(self, on: bool, turns: Iterator[tuple[int, bool]]) -> None:
        self._set(on)
        self._charge(turns)

    def _set(self, charging: bool) -> None:
        self._settle(self._agenda.now)
        self._charging = charging
        if self._battery is not None:
            self._battery.charging = charging
        self._judge()

    def _look(self) -> None:
        battery, settings, now = self._battery, self._device.kind.battery, self._agenda.now
        assert battery is not None
        assert settings is not None
        self._settle(now)
        if battery.level <= 0 and self._off_since is None:
            self._off_since = now
            if self._host.up:
                self.stop()
        elif self._off_since is not None and battery.level > 0 and battery.percent >= settings.starts:
            self._off_ms, self._off_since = self.off_ms(now), None
            self.start()
        self._judge()
        self._agenda.at(now + LOOK, self._look)

    def _settle(self, now: int) -> None:
        """Drains and charges the battery for the time since it was looked at last."""
        battery, kind = self._battery, self._device.kind
        if battery is None or kind.battery is None:
            return
        watts = kind.battery.rest_watts if self._host.up else 0.0
        joules = (watts * (now - battery.now) + kind.watts * self._host.trade.worked(battery.now, now)) / 1000
        if self._traffic is not None:
            size = self._traffic.bytes_up + self._traffic.bytes_down
            joules += (size - self._paid) / 1e6 * kind.joules_per_mb
            self._paid = size
        battery.advance(now, joules)

    def _judge(self) -> None:
        percent = self._percent if self._battery is None else self._battery.percent
        self._host.be(why_not(self._device.kind.needs, percent, self._charging))


def why_not(needs: Needs, percent: float | None, charging: bool | None) -> str:
    """Gives why a device takes no part, or ""; None: nothing is known of it."""
    if needs.charging and not charging:
        return "it is not charging"
    if percent is not None and percent < needs.battery and not charging:
        return f"its battery is below {needs.battery:g} %"
    return ""


def _charges(begins: float, ends: float) -> Iterator[tuple[int, bool]]:
    """Yields when a charger is plugged in and out, in ms, every day; the run begins at midnight."""
    first, last = round(begins * 3_600_000), round(ends * 3_600_000)
    if first > last:
        yield 0, True
    day = 0
    while True:
        yield from sorted([(day + first, True), (day + last, False)])
        day += DAY
