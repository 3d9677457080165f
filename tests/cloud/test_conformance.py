"""The service does what its OpenAPI document says, whatever is sent: the document writes the requests.

A real process with its own runner and broker. What no document writes (lone surrogates, NaN, damaged bundles) and both
databases are test_fuzz.py's.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit import parcels
from tests.kit.processes import Town

pytestmark = pytest.mark.broker

# `GET /v1/events` is left out: its response has no end. tests/cloud/test_events.py reads it.
ENDLESS = "/v1/events"
# Of the checks of schemathesis: no 5xx, and every response is one that the document has for the operation. Not among them are
# those on what is accepted: a sound body may name a task that is not there, and an unknown query parameter is ignored.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# Half of the requests are about what is there: chance finds no name.
SETTINGS = """
[dictionaries]
{dictionaries}

[parameters]
"path.task_id" = {{ dictionary = "task", probability = 0.5 }}
"path.run_id" = {{ dictionary = "run", probability = 0.5 }}
"path.model_id" = {{ dictionary = "model", probability = 0.5 }}
"path.token_id" = {{ dictionary = "token", probability = 0.5 }}
"path.digest" = {{ dictionary = "digest", probability = 0.5 }}
"body.task" = {{ dictionary = "task", probability = 0.5 }}
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Gives a cloud that has a task with its model, a run, and a token to spare."""
    with Town(tmp_path_factory.mktemp("town"), {}) as made:
        run: dict[str, Any] = made.get(f"/v1/runs/{made.launch(parcels.parcel())}")
        task = made.get("/v1/tasks")["items"][0]
        model = made.get("/v1/models")["items"][0]
        token = made.post("/v1/tokens", json={"name": "spare", "scopes": ["read"]})
        there = {
            "task": task["id"],
            "run": run["id"],
            "model": model["id"],
            "token": token["id"],
            "digest": model["model_sha256"],
        }
        lines = "\n".join(f'{name}.values = ["{value}"]' for name, value in there.items())
        (made.folder / "schemathesis.toml").write_text(SETTINGS.format(dictionaries=lines))
        yield made


def conforms(town: Town, *options: str) -> str:
    """Has every operation tried; gives what schemathesis says. Fails with its report, which says how to do each again."""
    token = (town.folder / "token").read_text().strip()
    url = str(town.api.base_url).rstrip("/")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}", "--exclude-path", ENDLESS, "--checks", ",".join(CHECKS)),
        *("--continue-on-failure", "--request-timeout", "20", "--warnings", "off", "--generation-database", "none", *options),
    ]
    done = subprocess.run(command, cwd=town.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-12_000:]}{done.stderr[-2_000:]}\n{town.cloud.said()[-4_000:]}"
    selected = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", done.stdout)
    assert selected, done.stdout
    assert selected[1] == selected[3]
    assert int(selected[2]) - int(selected[1]) == 1
    assert town.api.get("/v1/runs").status_code == 200  # the token holds: not all of it was 401
    assert "Traceback" not in town.cloud.said()
    return done.stdout


def test_what_the_document_writes_is_answered_as_the_document_says(town: Town) -> None:
    conforms(town, "--phases", "examples,fuzzing", "--max-examples", "8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_corner_of_the_document_is_answered_as_it_says(town: Town) -> None:
    conforms(town, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "40", "--seed", "1")
