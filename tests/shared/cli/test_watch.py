import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path

import pytest

from folkmoot import tasks
from folkmoot_cli.demo.federation import Federation
from folkmoot_cli.demo.plan import Plan

ROUNDS = 25  # of 0.1 s: some are still to come when the cloud is back


@pytest.mark.broker
async def test_watching_goes_on_where_it_was_when_the_cloud_was_away(tmp_path: Path) -> None:
    async with Federation(Plan(gateways=1, devices=1), tmp_path) as federation:
        async with federation.api() as cloud:
            await federation.gather(cloud)
            task = await cloud.post("tasks", body=tasks.read("digits-mlp"))
            await cloud.post("runs", body={"task": task["id"], "rounds": ROUNDS})
        environment = {**os.environ, "FOLKMOOT_URL": federation.url, "FOLKMOOT_TOKEN_FILE": str(tmp_path / "cloud" / "token")}
        command = (sys.executable, "-m", "folkmoot_cli", "run", "watch", "--json")
        watching = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment)
        assert watching.stdout and watching.stderr
        try:
            first = await watching.stdout.readline()
            federation.children["cloud"].process.kill()
            await federation.children["cloud"].process.wait()
            while b"trying again" not in await watching.stderr.readline():
                pass
            file = tmp_path / "cloud" / "settings.toml"
            await federation.children.start("cloud", ("folkmoot_cli", "cloud", "serve", "--config", file), tmp_path / "log")
            rest, _ = await watching.communicate()
        finally:
            with suppress(ProcessLookupError):
                watching.kill()
        lines = [json.loads(line) for line in (first + rest).splitlines()]
        assert watching.returncode == 0
        assert [line.get("number") for line in lines] == [*range(1, ROUNDS + 1), None]
        assert lines[-1]["outcome"] == "completed"
