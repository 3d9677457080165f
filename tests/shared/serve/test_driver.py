"""The loop that drives a node: decide, store, do."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from folkmoot.clock import Mark, Timeline
from folkmoot.errors import StoreFault
from folkmoot.hop.batch import Batch
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

    async def commit(self, batches: Mapping[str, Batch], mark: Mark) -> None:
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
