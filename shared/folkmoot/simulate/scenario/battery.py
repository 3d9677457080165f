"""A device's battery: what it holds, what drains it, when it is charged. Time and energy are told to it; it asks nobody."""

from dataclasses import dataclass


@dataclass(slots=True)
class Battery:
    """What is left, in joules."""

    capacity: float
    level: float
    charger: float  # W
    charging: bool = False
    now: int = 0  # ms: up to when it is reckoned

    @property
    def percent(self) -> float:
        """How full it is."""
        return 100 * self.level / self.capacity

    def advance(self, now: int, joules: float) -> None:
        """Lets time pass, in which a device has taken so much; what it did not have it has not given."""
        charged = self.charger * (now - self.now) / 1000 if self.charging else 0.0
        self.level = min(self.capacity, max(0.0, self.level + charged - joules))
        self.now = now
