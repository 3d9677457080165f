"""Tasks that come with Folkmoot, ready to publish: bundles compiled from `folkmoot.author.models`."""

from importlib import resources

from folkmoot.errors import UserFault

SUFFIX = ".fmb"


def names() -> tuple[str, ...]:
    """Gives the tasks that there are, sorted."""
    found = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)))


def read(name: str) -> bytes:
    """Gives the bundle of a task.

    Raises UserFault where there is none of that name, with those that there are.
    """
    if name not in names():
        raise UserFault(f"there is no task {name!r} that comes with Folkmoot; there are {', '.join(names())}")
    return resources.files(__name__).joinpath(name + SUFFIX).read_bytes()
