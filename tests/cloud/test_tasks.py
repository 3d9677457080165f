import asyncio
from hashlib import sha256
from typing import Any

import cbor2
import numpy as np

from folkmoot import arrays, tasks
from folkmoot.wire import bundle
from folkmoot.wire.bundle import Bundle, Graft
from folkmoot.wire.layout import Layout, Tensor
from tests.kit import parcels
from tests.kit.cloud import Cloud

FIELDS = {
    "id", "name", "version", "title", "digest", "program", "program_size", "weights", "weights_size", "parameters", "contract",
    "inference", "created_at",
}  # fmt: skip


async def test_an_uploaded_task_is_shown_as_its_bundle_says(cloud: Cloud) -> None:
    content = tasks.read("digits-mlp")
    opened, program = bundle.load(content)
    response = await cloud.client.post("/v1/tasks", content=content)
    assert response.status_code == 201
    made = response.json()
    assert made.keys() == FIELDS
    assert (made["name"], made["version"], made["parameters"]) == ("digits-mlp", "1", program.manifest.parameters)
    assert made["digest"] == sha256(content).hexdigest()
    assert made["program"] == sha256(opened.program).hexdigest()
    assert made["weights"] == sha256(opened.weights).hexdigest()
    assert response.headers["location"] == f"/v1/tasks/{made['id']}"
    assert await cloud.json(f"/v1/tasks/{made['id']}") == made
    assert await cloud.json("/v1/tasks/digits-mlp") == made
    assert await cloud.json("/v1/tasks") == {"items": [made], "next": None}
    for digest, expected in ((made["program"], opened.program), (made["weights"], opened.weights)):
        assert (await cloud.client.get(f"/v1/blobs/{digest}")).content == expected


async def test_the_manifest_has_the_layout_with_which_weights_are_read(cloud: Cloud) -> None:
    made = await cloud.task(plan=parcels.manifest().plan, title="A toy")
    told = await cloud.json(f"/v1/tasks/{made['id']}/manifest")
    assert told["title"] == "A toy"
    assert told["plan"] == {}  # what is left out is the protocol's default
    assert [tensor["name"] for tensor in told["layout"]["tensors"]] == ["bias", "kernel"]
    assert told["layout"]["tensors"][1]["shape"] == [4, 3]
    assert told["contract"]["name"] == "toy"


async def test_the_same_bytes_are_the_same_task_however_they_come(cloud: Cloud) -> None:
    content = parcels.parcel()
    first = await cloud.client.post("/v1/tasks", content=content)
    again = await cloud.client.post("/v1/tasks", content=content)
    form = await cloud.client.post("/v1/tasks", files={"bundle": ("toy.fmb", content)})
    assert (first.status_code, again.status_code, form.status_code) == (201, 200, 200)
    assert first.json() == again.json() == form.json()
    assert len((await cloud.json("/v1/models"))["items"]) == 1


async def test_the_same_upload_many_times_at_once_is_one_task(cloud: Cloud) -> None:
    answers = await asyncio.gather(*(cloud.client.post("/v1/tasks", content=parcels.parcel()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_name_stands_for_the_newest_task_and_an_id_for_itself(cloud: Cloud) -> None:
    old = await cloud.task(1)
    new = await cloud.task(2, version="2")
    other = await cloud.task(3, task="other")
    assert (await cloud.json("/v1/tasks/toy"))["id"] == new["id"]
    assert (await cloud.json(f"/v1/tasks/{old['id']}"))["version"] == "1"
    assert [task["id"] for task in (await cloud.json("/v1/tasks", name="toy"))["items"]] == [new["id"], old["id"]]
    assert [task["id"] for task in (await cloud.json("/v1/tasks", name="other"))["items"]] == [other["id"]]


async def test_a_task_that_is_not_there_is_not_found(cloud: Cloud) -> None:
    for path in ("/v1/tasks/nothing", "/v1/tasks/nothing/manifest"):
        response = await cloud.client.get(path)
        assert response.status_code == 404
        assert "upload its bundle first" in response.json()["detail"]


def _odd() -> dict[str, tuple[bytes, str]]:
    """Gives wrong bundles, each with a part of the sentence that refuses it."""
    good = parcels.parcel()
    opened, _ = bundle.load(good)
    manifest = parcels.manifest()

    def with_(**fields: Any) -> bytes:
        parts = {"program": opened.program, "weights": opened.weights, "inference": opened.inference, "grafts": opened.grafts}
        return bundle.dump(Bundle(**(parts | fields)))

    def with_program(tflite: bytes = b"\x1c\0\0\0TFL3", **fields: Any) -> bytes:
        return with_(program=bundle.dump(bundle.Program(manifest=parcels.manifest(**fields), tflite=tflite)))

    lossy = np.frombuffer(parcels.weights(1), "<f4").copy()
    lossy[3] = np.nan
    frozen = Layout(tuple(Tensor(one.name, one.shape, role="frozen") for one in manifest.layout.tensors))
    grouped = Layout(tuple(Tensor(one.name, one.shape, group="No Word") for one in manifest.layout.tensors))
    (first, *rest) = opened.grafts["float"]
    return {
        "nothing": (b"", "has no bundle in it"),
        "text": (b"hello, this is no bundle", "malformed"),
        "cut off": (good[:-1], "malformed"),
        "something behind": (good + b"\0", "malformed"),
        "a map of something else": (cbor2.dumps({"a": 1}), "malformed"),
        "another format": (cbor2.dumps(cbor2.loads(good) | {"folkmoot": 2}, canonical=True), "malformed"),
        "weights too short": (with_(weights=opened.weights[:-4]), "layout"),
        "weights that are no numbers": (with_(weights=lossy.tobytes()), "not all finite"),
        "a program that is none": (with_(program=b"nothing"), "malformed"),
        "a program without a runtime part": (with_program(b"ELF"), "the program is no .tflite"),
        "inference that is none": (with_(inference={"float": b"ELF"}), "float is no .tflite"),
        "inference of no word": (with_(inference={"Float": opened.inference["float"]}, grafts={}), "'Float' must be named"),
        "grafts that point elsewhere": (
            with_(grafts={"float": (Graft(first.tensor, first.offset - 1, first.axes), *rest)}), "does not hold the weights"
        ),
        "grafts beyond the end": (with_(grafts={"float": (Graft(first.tensor, 9_999, first.axes), *rest)}), "behind the"),
        "nothing to train": (with_program(layout=frozen), "no tensor is trained"),
        "a group of no word": (with_program(layout=grouped), "layout.tensors[0].group"),
        "parameters beyond all counting": (with_program(parameters=1 << 63), "parameters"),
        "a version of two lines": (with_program(version="1\n2"), "on one line"),
        "a title with NUL": (with_program(title="a\0b"), "on one line"),
        "a name that is none": (cbor2.dumps(cbor2.loads(good), canonical=True).replace(b"ctoy", b"cTOY"), "malformed"),
        "too deep": (b"\x81" * 1000 + b"\x80", "malformed"),
    }  # fmt: skip


async def test_a_wrong_bundle_is_refused_with_one_sentence(cloud: Cloud) -> None:
    for what, (content, sentence) in _odd().items():
        response = await cloud.client.post("/v1/tasks", content=content)
        assert response.status_code == 422, what
        detail = response.json()["detail"]
        assert sentence in detail, what
        assert "\n" not in detail
        assert len(detail) < 400
    assert (await cloud.json("/v1/tasks"))["items"] == []


async def test_a_form_without_a_bundle_is_refused(cloud: Cloud) -> None:
    for files in ({"other": b"x"}, {"bundle": (None, b"x")}):
        response = await cloud.client.post("/v1/tasks", files=files)
        assert response.status_code == 422
        assert "in the field `bundle`" in response.json()["detail"]
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert (await cloud.client.post("/v1/tasks", content=b"--x\r\nnonsense", headers=broken)).status_code in (400, 422)
    assert (await cloud.client.post("/v1/tasks", content=b"", headers={"content-type": "multipart/form-data"})).status_code in (
        400,
        422,
    )


async def test_places_that_the_author_left_out_are_found(cloud: Cloud) -> None:
    made = await cloud.task(grafts=False)
    run = await cloud.run(task=made["id"])
    model = await cloud.round(run["id"], 1, seed=7)
    response = await cloud.client.get(f"/v1/models/{model}/tflite")
    assert response.content == parcels.tflite(parcels.weights(7))


async def test_inference_that_takes_no_other_weights_is_taken_all_the_same(cloud: Cloud) -> None:
    opened, _ = bundle.load(parcels.parcel())
    odd = Bundle(program=opened.program, weights=opened.weights, inference={"int8": b"\x1c\0\0\0TFL3 quantised"})
    made = (await cloud.client.post("/v1/tasks", content=bundle.dump(odd))).json()
    run = await cloud.run(task=made["id"])
    initial, learnt = run["base_model"], await cloud.round(run["id"], 1, seed=7)
    assert (await cloud.client.get(f"/v1/models/{initial}/tflite", params={"kind": "int8"})).status_code == 200
    response = await cloud.client.get(f"/v1/models/{learnt}/tflite", params={"kind": "int8"})
    assert response.status_code == 409
    assert "in a form that others cannot take" in response.json()["detail"]


async def test_a_task_larger_than_a_row_lives_in_the_folder(cloud: Cloud) -> None:
    layout = Layout((Tensor("w", (400_000,)),))
    block = arrays.pack(layout, {"w": np.arange(400_000, dtype=np.float32)})
    program = bundle.dump(bundle.Program(manifest=parcels.manifest(layout=layout), tflite=b"\x1c\0\0\0TFL3"))
    made = (await cloud.client.post("/v1/tasks", content=bundle.dump(Bundle(program=program, weights=block)))).json()
    assert (await cloud.client.get(f"/v1/blobs/{made['weights']}")).content == block
    folder = cloud.state["settings"].data / "blobs"
    assert [path.name for path in folder.rglob(made["weights"] + "*")] == [made["weights"]]
