"""The tiers' own part of a simulation, which the library reaches through the entry points `folkmoot.simulated` alone."""

from functools import cache
from importlib import metadata
from types import ModuleType

from folkmoot.errors import UserFault

GROUP = "folkmoot.simulated"


@cache
def tier(name: str) -> ModuleType:
    """Gives the module that simulates `cloud`, `gateway` or `device`. Raises UserFault where it is not installed."""
    for point in metadata.entry_points(group=GROUP, name=name):
        module = point.load()
        assert isinstance(module, ModuleType)
        return module
    raise UserFault(f"a simulation needs the {name}, which is not installed: pip install 'folkmoot[demo]'")
