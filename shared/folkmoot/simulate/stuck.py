"""What is said of a simulation that goes nowhere."""

from folkmoot.errors import FolkmootError


class Stuck(FolkmootError):
    """What was to become so has not become so."""
