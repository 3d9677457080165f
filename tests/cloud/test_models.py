"""Versions: what they are, and that the .tflite of one computes what training would."""

from hashlib import sha256

import numpy as np
import pytest

from folkmoot import arrays, tasks
from folkmoot.serve.program import Learner, runtime
from folkmoot.wire import bundle
from folkmoot_cloud.clock import now
from folkmoot_cloud.models import service as models
from folkmoot_cloud.rounds import progress
from tests.kit import parcels
from tests.kit.cloud import Cloud


async def test_a_task_comes_with_version_0(cloud: Cloud) -> None:
    task = await cloud.task()
    (model,) = (await cloud.json("/v1/models"))["items"]
    assert (model["version"], model["run_id"], model["parent"]) == (0, None, None)
    assert model["task_id"] == task["id"]
    assert model["model_sha256"] == task["weights"]
    assert model["promoted"] is False
    assert await cloud.json(f"/v1/models/{model['id']}") == model


async def test_each_version_names_what_it_was_learnt_from(cloud: Cloud) -> None:
    run = await cloud.run()
    first = await cloud.round(run["id"], 1, seed=11)
    second = await cloud.round(run["id"], 2, seed=12)
    listed = (await cloud.json("/v1/models", run=run["id"]))["items"]
    assert [(model["id"], model["version"], model["parent"]) for model in listed] == [
        (second, 2, first),
        (first, 1, run["base_model"]),
    ]
    assert listed[0]["model_sha256"] == sha256(parcels.weights(12)).hexdigest()
    assert len((await cloud.json("/v1/models", task=run["task"]["id"]))["items"]) == 3
    assert (await cloud.json("/v1/models", run="nothing"))["items"] == []


async def test_weights_are_the_block_with_its_sha256(cloud: Cloud) -> None:
    run = await cloud.run()
    model = await cloud.round(run["id"], 1, seed=11)
    response = await cloud.client.get(f"/v1/models/{model}/weights")
    assert response.content == parcels.weights(11)
    assert response.headers["etag"] == f'"{sha256(parcels.weights(11)).hexdigest()}"'
    assert (await cloud.client.get(f"/v1/models/{model}/weights", headers={"Range": "bytes=0-3"})).content == parcels.weights(
        11
    )[:4]


async def test_the_quality_of_a_version_is_told_with_it(cloud: Cloud) -> None:
    run = await cloud.run()
    model = await cloud.round(run["id"], 1, seed=11)
    row = await cloud.row(run["id"])
    async with cloud.database.write() as session:
        await progress.evaluated(session, row, 0, now(), loss=2.3, accuracy=0.1, examples=100, members=4)
        await progress.evaluated(session, row, 1, now(), loss=0.5, accuracy=0.9, examples=100, members=4)
    expected = {"loss": 0.5, "accuracy": 0.9, "examples": 100, "members": 4}
    assert (await cloud.json(f"/v1/models/{model}"))["evaluation"] == expected
    assert [one["evaluation"] for one in (await cloud.json("/v1/models"))["items"]] == [expected, None]
    shown = await cloud.json(f"/v1/runs/{run['id']}")
    assert (shown["before"]["accuracy"], shown["after"]["accuracy"]) == (0.1, 0.9)


@pytest.mark.parametrize("name", tasks.names())
async def test_the_tflite_of_a_version_infers_what_the_training_program_does(cloud: Cloud, name: str) -> None:
    content = tasks.read(name)
    _, program = bundle.load(content)
    layout = program.manifest.layout
    rng = np.random.default_rng(5)
    learnt = {one.name: rng.normal(scale=0.2, size=one.shape).astype(np.float32) for one in layout.tensors}
    block = arrays.pack(layout, learnt)
    task = (await cloud.client.post("/v1/tasks", content=content)).json()
    run = await cloud.run(task=task["id"])
    row = await cloud.row(run["id"])
    async with cloud.database.write() as session:
        model = await models.learnt(session, cloud.state["blobs"], row, 1, row.base_model, block, now())
    response = await cloud.client.get(f"/v1/models/{model.id}/tflite")
    assert response.status_code == 200
    assert response.headers["content-disposition"] == f'attachment; filename="{name}-1-1-float.tflite"'
    assert response.headers["etag"] == f'"{sha256(response.content).hexdigest()}"'
    examples = rng.random((program.manifest.batch, *program.manifest.contract.x_shape), dtype=np.float32)
    learner = Learner(program)
    learner.set_weights(block)
    assert np.abs(inferred(response.content, examples) - learner.infer(examples)).max() < 1e-5


def inferred(tflite: bytes, examples: np.ndarray) -> np.ndarray:
    """Gives what a stock interpreter makes of examples, one at a time."""
    loaded = runtime().Interpreter(model_content=tflite)
    loaded.allocate_tensors()
    into, out = loaded.get_input_details()[0]["index"], loaded.get_output_details()[0]["index"]
    found = []
    for example in examples:
        loaded.set_tensor(into, example[None])
        loaded.invoke()
        found.append(loaded.get_tensor(out)[0])
    return np.array(found)


async def test_the_tflite_of_version_0_is_the_bundles_own(cloud: Cloud) -> None:
    run = await cloud.run()
    response = await cloud.client.get(f"/v1/models/{run['base_model']}/tflite")
    assert response.content == parcels.tflite(parcels.weights(1))


async def test_a_kind_that_the_task_lacks_is_not_found(cloud: Cloud) -> None:
    run = await cloud.run()
    response = await cloud.client.get(f"/v1/models/{run['base_model']}/tflite", params={"kind": "int8"})
    assert response.status_code == 404
    assert response.json()["detail"] == "task toy has no inference program 'int8'; it has float"
    assert (await cloud.client.get(f"/v1/models/{run['base_model']}/tflite", params={"kind": "No"})).status_code == 422


async def test_one_version_of_a_task_is_promoted_and_the_one_before_comes_back(cloud: Cloud) -> None:
    run = await cloud.run()
    task = run["task"]["id"]
    ids = [run["base_model"], *[await cloud.round(run["id"], number, seed=20 + number) for number in (1, 2)]]

    async def promoted() -> list[str]:
        return [model["id"] for model in (await cloud.json("/v1/models", promoted=True, task=task))["items"]]

    for model in ids:
        assert (await cloud.made(f"/v1/models/{model}/promote"))["promoted"] is True
        assert await promoted() == [model]
    assert (await cloud.made(f"/v1/models/{ids[2]}/promote"))["promoted"] is True  # changes nothing
    assert (await cloud.made(f"/v1/tasks/{task}/rollback"))["id"] == ids[1]
    assert await promoted() == [ids[1]]
    back = await cloud.made("/v1/tasks/toy/rollback")
    assert (back["id"], back["promoted"]) == (ids[0], True)
    response = await cloud.client.post(f"/v1/tasks/{task}/rollback")
    assert response.status_code == 409
    assert "promote the one that you want" in response.json()["detail"]
    assert await promoted() == [ids[0]]
    assert (await cloud.made(f"/v1/models/{ids[2]}/promote"))["promoted"] is True
    assert (await cloud.made(f"/v1/tasks/{task}/rollback"))["id"] == ids[0]
    others = (await cloud.json("/v1/models", promoted=False))["items"]
    assert {model["id"] for model in others} == {ids[1], ids[2]}


async def test_each_task_has_a_promoted_version_of_its_own(cloud: Cloud) -> None:
    for seed in (1, 2):
        run = await cloud.run(task=(await cloud.task(seed))["id"])
        await cloud.made(f"/v1/models/{run['base_model']}/promote")
    assert len((await cloud.json("/v1/models", promoted=True))["items"]) == 2


async def test_what_is_not_there_is_not_found(cloud: Cloud) -> None:
    for method, path in (
        ("GET", "/v1/models/nothing"),
        ("GET", "/v1/models/nothing/weights"),
        ("GET", "/v1/models/nothing/tflite"),
        ("POST", "/v1/models/nothing/promote"),
        ("POST", "/v1/tasks/nothing/rollback"),
    ):
        assert (await cloud.client.request(method, path)).status_code == 404, path
