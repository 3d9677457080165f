"""Fixtures that more than one part of the tree uses."""

from hypothesis import settings

# A busy machine makes every example slow once in a while: `timeout` in pyproject.toml is there for what hangs.
settings.register_profile("folkmoot", deadline=None)
settings.load_profile("folkmoot")

pytest_plugins = ["tests.kit.broker", "tests.kit.command", "tests.kit.disk", "tests.kit.postgres"]
