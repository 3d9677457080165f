"""A module of the standard library that another one imports and, as we use it, never needs."""

import importlib
import sys
import types
from typing import Any


class Later(types.ModuleType):
    """Stands in for a module until somebody wants something of it, then is that module."""

    def __getattr__(self, name: str) -> Any:
        """Gives what the module has by that name, loading it first."""
        if name.startswith("__"):  # the import system looks at these; they load nothing
            raise AttributeError(name)
        sys.modules.pop(self.__name__, None)
        real = importlib.import_module(self.__name__)
        vars(self).update(vars(real))
        return getattr(real, name)


def load(name: str) -> None:
    """Has `package.module` loaded when it is first used, where it is not loaded already.

    importlib.util.LazyLoader is meant for this, but in Python 3.11 already a second `import` loads what it stands for.
    """
    package, _, leaf = name.rpartition(".")
    if name not in sys.modules:
        sys.modules[name] = Later(name)
        setattr(importlib.import_module(package), leaf, sys.modules[name])
