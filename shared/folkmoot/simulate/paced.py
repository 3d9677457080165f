"""When something in a simulation steps: as soon as anything has come for it, or when it wants to."""

from abc import ABC, abstractmethod

from folkmoot.link.agenda import Agenda


class Paced(ABC):
    """A machine, or what stands in for one, on an agenda."""

    __slots__ = ("_entries", "_planned", "agenda")

    def __init__(self, agenda: Agenda) -> None:
        self.agenda = agenda
        self._planned: int | None = None  # ms: when its next step is
        self._entries: list[int] = []  # ms: when a step is put down, few at a time and none twice

    @abstractmethod
    def turn(self) -> int | None:
        """Takes a step where there is anything to do; gives when it wants to take the next one, in ms, or None."""

    def rouse(self) -> None:
        """Has it step, behind all that is due now."""
        self._plan(self.agenda.now)

    def _plan(self, at: int) -> None:
        if self._planned is None or at < self._planned:
            self._planned = at
            if at not in self._entries:  # otherwise it stands there from earlier on
                self._entries.append(at)
                self.agenda.at(at, self._act, at)

    def _act(self, at: int) -> None:
        self._entries.remove(at)
        if at != self._planned:
            return  # an earlier one was put down meanwhile
        self._planned = None
        wake = self.turn()
        if wake is not None:
            self._plan(wake)
