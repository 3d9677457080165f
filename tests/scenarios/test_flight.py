"""Whole federations that are recorded while everything goes wrong: the same programs come out at the same bits again."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from folkmoot.flight.part import parts
from folkmoot.flight.player import Player
from folkmoot.serve.sums import Sums
from folkmoot.simulate.faults.trial import run
from folkmoot.simulate.faults.world import World
from folkmoot.wire.partial import Partial
from folkmoot_cloud.runner.facts import RoundClosed
from tests.kit.disk import MakeDisk
from tests.kit.flight import recorded, replayed, seeded
from tests.scenarios.test_retraction import federation, retract, seat

# Runs of 23 and 34 are asynchronous. In 158 the cloud dies in a step that ends a round, which ends otherwise in its next life.
SEEDS = (*range(16), 23, 34, 158)
LONG = {"rounds": 10, "parameters": 8}  # runs of which an undisturbed round takes a gateway's recording about 8 kB, a cloud's 4
SHORT = 24_000  # bytes of a recording of which all but the last rounds goes


def verdicts(player: Player) -> Counter[str]:
    """Gives how many rounds came out how."""
    assert not player.failed, player.notes
    return Counter(one.verdict for one in player.rounds)


@pytest.fixture(autouse=True)
def log() -> Iterator[logging.Logger]:
    """Gives our logger, which says little."""
    found = logging.getLogger("folkmoot")
    found.setLevel(logging.ERROR)
    yield found
    found.setLevel(logging.NOTSET)


def test_every_round_of_a_recording_comes_out_with_the_same_sha256(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    lives = 0
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        world = seeded(seed, folder)
        for name in ("cloud", *world.gateways):
            player = replayed(folder / name)
            assert player.notes == [], f"seed {seed}, {name}"
            found += verdicts(player)
            lives += player.lives
            if name == "cloud":
                learnt = {(one.then.run, one.then.number): one.then.sha256.hex() for one in player.rounds if one.then.sha256}
                assert learnt == world.cloud.models, f"seed {seed}"
                assert [one.then.outcome for one in player.rounds] == [
                    fact.closed.outcome for fact in world.cloud.facts if isinstance(fact, RoundClosed)
                ]
    # Unsure is who was killed in the step that ended a round, and never had another life.
    assert found.keys() <= {"same", "unsure"}
    assert found["same"] > 100
    assert found["unsure"] < 5
    assert lives > 50  # of as many machines as there are recordings, and then those that were started again


def test_a_recording_that_has_lost_its_beginning_is_taken_up_where_it_begins(tmp_path: Path) -> None:
    found: dict[str, Counter[str]] = {"cloud": Counter(), "gateway": Counter()}
    for seed in range(8):
        folder = tmp_path / str(seed)
        world = seeded(seed, folder, SHORT, **LONG)
        for name in ("cloud", *world.gateways):
            (number, _), *_ = parts(folder / name)
            player = replayed(folder / name)
            if number > 1 and not player.lives:
                found["cloud" if name == "cloud" else "gateway"] += verdicts(player)
    for counts in found.values():
        assert counts.keys() <= {"same", "began before"}
        assert counts["same"] >= 3


def test_what_is_recorded_does_what_it_does_unrecorded(tmp_path: Path) -> None:
    for seed in (2, 11):
        verdict = run(seed, tell=True)
        world = seeded(seed, tmp_path / str(seed))
        assert (world.now, len(world.cloud.models)) == (verdict.at, verdict.learnt)


@pytest.mark.parametrize("parameters", [50, 30_000], ids=["inline", "chunked"])
def test_a_device_that_was_taken_out_of_a_round_is_out_of_it_again(tmp_path: Path, parameters: int) -> None:
    world = federation(tmp_path / "world", slow="e", parameters=parameters, begin=lambda world: recorded(world, tmp_path))
    world.run(lambda: seat(world, "g1") == "taken")
    retract(world, "a")
    world.run(lambda: world.finished)
    world.wait(60_000)  # there is another step, which says that the last one was stored
    for name in ("cloud", "g1", "g2"):
        player = replayed(tmp_path / name)
        assert (player.notes, verdicts(player).keys()) == ([], {"same"})
    ended = [one.then for one in replayed(tmp_path / "g1").rounds if (one.then.number, one.then.phase) == (1, "train")]
    assert [one.answers for one in ended] == [3, 2]  # it answered, and again without the device


def test_the_torn_end_of_a_recording_is_told_and_left_out(tmp_path: Path) -> None:
    seeded(1, tmp_path)
    whole = replayed(tmp_path / "g1")
    path = parts(tmp_path / "g1")[-1][1]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    torn = replayed(tmp_path / "g1")
    (note,) = torn.notes
    assert note.startswith(f"{path.name}: its last ")
    assert [one.then for one in torn.rounds] == [one.then for one in whole.rounds[: len(torn.rounds)]]
    assert 0 < len(torn.rounds) < len(whole.rounds)


def test_a_part_that_is_gone_or_damaged_in_the_middle_costs_what_was_in_it(tmp_path: Path) -> None:
    for number, spoil in enumerate((Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:700] + bytes(2_000)))):
        folder = tmp_path / str(number)
        seeded(8, folder, 80_000, **LONG)
        found = parts(folder / "g1")
        assert len(found) > 3
        spoil(found[1][1])
        player = replayed(folder / "g1")
        assert player.notes
        counts = verdicts(player)
        assert counts["same"] >= 2
        assert counts.keys() <= {"same", "began before", "unsure", "not replayed"}


def test_a_program_that_adds_up_otherwise_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(1, tmp_path)
    right = Sums.partial

    def wrong(sums: Sums) -> Partial:
        found = right(sums)
        groups = {name: msgspec.structs.replace(group, weight=group.weight + 1) for name, group in found.groups.items()}
        return msgspec.structs.replace(found, groups=groups)

    monkeypatch.setattr(Sums, "partial", wrong)
    for name in ("g1", "cloud"):
        player = replayed(tmp_path / name)
        trained = [one for one in player.rounds if one.then.phase == "train" and one.then.sha256 and one.then.answers]
        assert {one.verdict for one in trained} == {"differs"}


def test_a_disk_that_is_full_ends_the_recording_and_not_the_run(
    tmp_path: Path, make_disk: MakeDisk, caplog: pytest.LogCaptureFixture, log: logging.Logger
) -> None:
    log.setLevel(logging.WARNING)
    disk = make_disk(tmp_path / "disk", 1 << 20)
    world: World = seeded(2, tmp_path / "whole")
    disk.fill(leave=100_000)
    caplog.clear()
    again = seeded(2, disk.folder / "flight")
    assert again.cloud.models == world.cloud.models
    stops = [record.getMessage() for record in caplog.records if record.getMessage().startswith("recording stops")]
    assert stops == ["recording stops: there is no room"] * 3  # of the cloud and two gateways, once each
    for name in ("cloud", *world.gateways):
        player = replayed(disk.folder / "flight" / name)
        assert player.notes == []
        assert verdicts(player).keys() <= {"same", "unsure"}
