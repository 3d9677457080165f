"""Fixtures that more than one part of the tree uses."""

pytest_plugins = ["tests.kit.broker", "tests.kit.postgres"]
