"""How soon a round goes on when the only cloud was killed in the middle of it and is back."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from folkmoot import tasks
from folkmoot.hop.ids import ask_id
from folkmoot.wire import codec
from folkmoot.wire.messages import Answer, Started
from tests.kit.processes import Town

HOMES = {"g1": ["a", "b"], "g2": ["c", "d"]}
WITHIN = 2.0  # seconds from the API's first answer


@contextmanager
def overheard(port: int) -> Iterator[Mapping[tuple[str, type], set[bytes]]]:
    """Gives which Asks each gateway has begun and answered, as heard at the cloud's broker while the block lasts."""
    heard: defaultdict[tuple[str, type], set[bytes]] = defaultdict(set)

    def hear(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        envelope = codec.unseal(message.payload, limit=1 << 20)
        heard[envelope.src, type(envelope.body)].add(envelope.ask)

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="passer-by")
    client.on_message = hear
    client.on_connect = lambda *_: client.subscribe("fl/v1/c/+/+/up/man", 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.slow
@pytest.mark.broker
def test_a_round_goes_on_within_two_seconds_of_a_killed_clouds_return(tmp_path: Path) -> None:
    with Town(tmp_path, HOMES) as town, overheard(town.brokers["cloud"].port) as heard:
        town.up(4)
        run = town.launch(tasks.read("digits-mlp"), rounds=30, plan={"epochs": 60}, deadline_seconds=60)

        def said(number: int, kind: type) -> set[str]:
            """Gives the homes that have said so about a round."""
            return {name for name in HOMES if ask_id(f"{run}/{number}/train", name) in heard[name, kind]}

        def begun(after: int) -> int:
            """Gives a round behind `after` that every home has begun and not every one has answered; 0: there is none now."""
            number = int(town.get(f"/v1/runs/{run}").get("done", 0)) + 1
            return number if number > after and said(number, Started) == set(HOMES) != said(number, Answer) else 0

        took: list[float] = []
        number = 0
        for _ in range(3):
            number = town.until(lambda after=number: begun(after))  # type: ignore[misc]
            town.cloud.kill()
            # Both homes are ready long before it is back: what is left of the round is the cloud's to do.
            town.until(lambda number=number: said(number, Answer) == set(HOMES))  # type: ignore[misc]
            town.cloud.start()
            town.until(lambda: town.get("/healthz"))
            up = time.monotonic()
            town.until(lambda at=f"/v1/runs/{run}/rounds/{number}": town.get(at).get("outcome") == "complete")  # type: ignore[misc]
            took.append(time.monotonic() - up)
        print("seconds from the API's first answer to the end of the round:", [round(one, 2) for one in took])
        assert max(took) < WITHIN, took
        town.post(f"/v1/runs/{run}/stop")
        assert town.finished(run)["outcome"] == "stopped"
