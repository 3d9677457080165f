"""A run as a recording has it."""

from dataclasses import fields

import numpy as np

from folkmoot.flight.played import Played
from folkmoot.flight.port import Notes
from folkmoot.wire.messages import Offline
from folkmoot_cloud.runner.campaign import Campaign, Spec
from folkmoot_cloud.runner.frozen import FrozenRun, FrozenSpec, freeze, thaw
from folkmoot_cloud.runner.node import Enter
from folkmoot_cloud.runner.past import Kept, Past
from tests.kit import toy

MADE = {"manifest", "strategy", "selector"}  # of the program, of the strategy's name and options, of nothing
KNOWN = {"waiting", "key", "phase", "_digest"}  # what the tables say, what the round's journal does, what is worked out


def test_nothing_that_a_run_is_made_of_is_left_out() -> None:
    spec = {field.name for field in fields(Spec)} - MADE
    assert set(FrozenSpec.__struct_fields__) - {"strategy"} == spec - {"strategy_name"}
    run = {field.name for field in fields(Campaign)} - KNOWN
    assert set(FrozenRun.__struct_fields__) - {"history", "ahead", "retractions", "state"} == run - {"model"}


def test_a_run_that_was_frozen_thaws_to_the_same() -> None:
    offline = Offline(staleness=3, rounds=2, seconds=60)
    chosen = {"strategy_name": "fedopt", "options": {"optimizer": "adam"}, "transform": "int8"}
    run = toy.campaign(8, 5, offline=offline, buffer=2, minimum=2, **chosen)
    kept = Kept(1, b"w" * 32, {"g1": frozenset({"a"}), "g2": None}, frozenset({b"q" * 16}), 60_000, frozenset({"g1"}))
    run.past, run.number, run.version, run.evaluated, run.desired = Past({1: kept}), 2, 1, 1, "pause"
    run.model = type(run.model)(run.model.weights, {"m.w": np.arange(8, dtype="<f4")})
    notes, played = Notes(), Played()
    frozen = freeze(Enter(run), notes)
    played.expect([], notes.contents)
    thawn = thaw(frozen, played.resolve, lambda sha256: None).campaign
    for name in {field.name for field in fields(Spec)} - MADE:
        assert getattr(thawn.spec, name) == getattr(run.spec, name), name
    for name in ("block", "version", "number", "rounds", "desired", "evaluated", "past"):
        assert getattr(thawn, name) == getattr(run, name), name
    assert thawn.spec.manifest == run.spec.manifest
    assert thawn.model.state["m.w"].tolist() == run.model.state["m.w"].tolist()
