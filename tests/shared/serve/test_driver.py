"""The loop that drives a node: decide, store, do."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from folkmoot.clock import Mark, Timeline
from folkmoot.errors import StoreFault
from folkmoot.hop.batch import Batch
from folkmoot.link.face import Arrived, Disconnected
from folkmoot.serve.driver import Driver, Input


class Scene:
    """A node, its journal and its port in one, which write down what is done to them, in order."""

    def __init__(self) -> None:
        self.story: list[Any] = []
        self.wake: int | None = None
        self.failing = False
        self.stepped = asyncio.Event()

    def step(self, inputs: Sequence[Input], now: int) -> Mapping[str, Batch]:
        self.story.append(("step", [event for _, event in inputs]))
        self.wake = None
        return {"up": Batch(now)}

    async def commit(self, batches: Mapping[str, Batch], mark: Callable[[], Mark]) -> None:
        self.story.append("store")
        if self.failing:
            raise StoreFault("full")

    def perform(self, batch: Batch | None = None) -> None:
        self.story.append("work" if batch is None else "send")
        if batch is None:
            self.stepped.set()


async def drive(scene: Scene) -> tuple[Driver, asyncio.Task[None]]:
    """Gives a driver that runs."""
    driver = Driver(scene, Timeline())
    return driver, asyncio.create_task(driver.run(scene, {"up": scene}))  # type: ignore[dict-item]


async def test_everything_that_waits_is_one_step_which_is_stored_before_it_is_done() -> None:
    scene = Scene()
    driver, task = await drive(scene)
    for number in range(3):
        driver.post("up", number)
    await scene.stepped.wait()
    assert scene.story == [("step", [0, 1, 2]), "store", "send", "work"]
    driver.stop()
    await task


async def test_what_cannot_be_stored_is_not_done() -> None:
    scene = Scene()
    scene.failing = True
    driver, task = await drive(scene)
    driver.post("up", 1)
    with pytest.raises(StoreFault):
        await task
    assert scene.story == [("step", [1]), "store"]


async def test_time_alone_makes_a_step() -> None:
    scene = Scene()
    scene.wake = 0
    driver, task = await drive(scene)
    await scene.stepped.wait()
    assert scene.story[0] == ("step", [])
    driver.stop()
    await task


async def test_messages_that_come_faster_than_they_are_stored_are_dropped_and_not_acknowledged() -> None:
    scene = Scene()
    driver, task = await drive(scene)
    taken = [Arrived("topic", bytes(1 << 20), False, number) for number in range(40)]
    for event in taken:
        driver.post("up", event)
    driver.post("up", Disconnected("gone", ()))  # what is no message is never dropped
    await scene.stepped.wait()
    assert scene.story[0] == ("step", [*taken[:31], Disconnected("gone", ())])
    scene.stepped.clear()
    driver.post("up", taken[39])
    await scene.stepped.wait()
    assert scene.story[4] == ("step", [taken[39]])
    driver.stop()
    await task


async def test_telemetry_leaves_room_for_what_somebody_waits_for() -> None:
    scene = Scene()
    driver, task = await drive(scene)
    for _ in range(40):
        driver.post("up", Arrived("topic", bytes(1 << 20), False, None))
    driver.post("up", Arrived("topic", bytes(1 << 20), False, 1))
    await scene.stepped.wait()
    assert [event.token for event in scene.story[0][1]] == [None] * 15 + [1]
    driver.stop()
    await task


async def test_what_a_failed_step_had_taken_is_still_known() -> None:
    scene = Scene()
    scene.failing = True
    driver, task = await drive(scene)
    driver.post("up", 1)
    await asyncio.wait([task])
    driver.post("up", 2)
    assert driver.left == [("up", 1), ("up", 2)]
    with pytest.raises(StoreFault):
        await task
