"""What every plug-in of every kind promises: it is described, and so is each of its options."""

from importlib import import_module

import msgspec
import pytest

from folkmoot import plugins

EVERY = [(kind, name) for kind in plugins.kinds() for name in plugins.names(kind)]
every = pytest.mark.parametrize(("kind", "name"), EVERY)


@every
def test_a_plug_in_works_with_nothing_chosen(kind: str, name: str) -> None:
    assert plugins.load(kind, name) is not None


@every
def test_a_plug_in_and_its_options_are_described(kind: str, name: str) -> None:
    described = plugins.describe(kind, name)
    assert described.summary.endswith((".", ":")) or described.summary[0].isupper()
    for option in described.options:
        assert len(option.description) > 10, option.name
        assert option.default is not msgspec.NODEFAULT, option.name


@every
def test_numbers_among_the_options_have_bounds(kind: str, name: str) -> None:
    for option in plugins.describe(kind, name).options:
        if "number" in option.values:
            assert option.values.count("<") == 2, option.name


@every
def test_options_are_values_that_refuse_what_they_do_not_know(kind: str, name: str) -> None:
    config = import_module(f"folkmoot.{kind}.{name}").Options.__struct_config__
    assert (config.frozen, config.forbid_unknown_fields) == (True, True)


@every
def test_plug_ins_stand_alone(kind: str, name: str) -> None:
    module = import_module(f"folkmoot.{kind}.{name}")
    origins = {getattr(value, "__module__", "") for value in vars(module).values()}
    others = {f"folkmoot.{other}.{plug_in}" for other, plug_in in EVERY} - {module.__name__}
    assert origins.isdisjoint(others)
