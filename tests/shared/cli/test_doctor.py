from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from folkmoot.link.broker import Broker, free_port
from folkmoot_cli.doctor import broker as examined
from folkmoot_cli.doctor import machine
from tests.kit import broker as kit
from tests.kit.broker import HOME, SECRET, Secured
from tests.kit.command import Command, Said

pytestmark = pytest.mark.broker


def findings(said: Said) -> dict[str, dict[str, Any]]:
    """Gives what was found, by part and name."""
    found: list[dict[str, Any]] = said.json["findings"]
    return {f"{one['part']} {one['name']}": one for one in found}


def test_an_open_broker_is_well_and_says_what_it_grants(folkmoot: Command, mosquitto: Broker) -> None:
    said = folkmoot("doctor", "--port", mosquitto.port, "--json")
    assert said.code == 0
    assert said.json["ok"]
    found = findings(said)
    assert found["broker protocol"]["figures"] == {"version": "5"}
    assert found["broker limits"]["figures"] == {"window": 32, "max_packet": 262_144}
    assert found["broker probe"]["figures"]["bytes"] == 65_536
    assert 0 < found["broker round trip"]["figures"]["ms"] < 1_000
    assert found["machine disk"]["figures"]["free_bytes"] > 0


def test_people_get_a_line_for_each_thing(folkmoot: Command, mosquitto: Broker) -> None:
    said = folkmoot("doctor", "--port", mosquitto.port)
    assert said.code == 0
    assert "65,536 bytes came back" in said.out
    assert all(line.startswith(("ok", "note")) for line in said.out.splitlines())


def test_a_broker_that_is_not_there_is_wrong(folkmoot: Command) -> None:
    port = free_port()
    said = folkmoot("doctor", "--port", port, "--json")
    assert said.code == 1
    assert not said.json["ok"]
    wrong = findings(said)["broker connection"]
    assert wrong["state"] == "wrong"
    assert f"127.0.0.1:{port}" in wrong["says"]


def test_an_older_broker_is_spoken_to_in_its_own_dialect(folkmoot: Command, amqtt: Broker) -> None:
    said = folkmoot("doctor", "--port", amqtt.port, "--json")
    assert said.code == 0
    found = findings(said)
    assert (found["broker protocol"]["state"], found["broker protocol"]["figures"]) == ("note", {"version": "3.1.1"})
    assert found["broker probe"]["state"] == "ok"


def test_a_small_broker_is_worth_a_note(folkmoot: Command, tmp_path: Path) -> None:
    port = free_port()
    text = f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 16384\n"
    with kit.run(tmp_path, port, text):
        said = folkmoot("doctor", "--port", port, "--json")
    found = findings(said)
    assert said.code == 0
    assert found["broker limits"]["state"] == "note"
    assert 15_000 < found["broker probe"]["figures"]["bytes"] < 16_384


def test_a_device_with_a_certificate_probes_a_secured_broker(folkmoot: Command, secured: Secured, tmp_path: Path) -> None:
    tls = secured.device("kitchen-1").tls
    assert tls and tls.ca and tls.certificate and tls.key
    file = tmp_path / "device.toml"
    file.write_text(
        f'id = "kitchen-1"\ngateway = "{HOME}"\nfolder = "."\n[examples]\ncontract = "toy"\n'
        f'[home]\nhost = "localhost"\nport = {secured.broker.port}\n'
        f'ca = "{tls.ca}"\ncertificate = "{tls.certificate}"\nkey = "{tls.key}"\n'
    )
    said = folkmoot("doctor", "--config", file, "--json")
    assert said.code == 0, said.out
    found = findings(said)
    assert found["home probe"]["state"] == "ok"
    assert found["home connection"]["figures"]["tls"]
    certificate = found["home certificate"]
    assert (certificate["state"], certificate["figures"]["subject"]) == ("note", "broker")  # the authority's are good for a day
    assert "renew it" in certificate["says"]


def test_a_stranger_is_told_that_the_secured_broker_does_not_take_him(folkmoot: Command, secured: Secured) -> None:
    ca = secured.authority.ca
    said = folkmoot("doctor", "--port", secured.broker.port, "--ca", ca, "--json")
    assert said.code == 1
    assert [one["name"] for one in said.json["findings"] if one["state"] == "wrong"] != []


def test_a_password_is_taken_from_its_file(folkmoot: Command, secured: Secured, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    said = folkmoot("doctor", "--port", secured.local, "--username", HOME, "--password-file", file, "--json")
    assert said.code == 0, said.out
    file.write_text("wrong\n")
    said = folkmoot("doctor", "--port", secured.local, "--username", HOME, "--password-file", file, "--json")
    assert said.code == 1
    assert "uthori" in findings(said)["broker session"]["says"]


def test_an_access_list_without_room_for_probes_is_no_fault(folkmoot: Command, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "acl").write_text("topic readwrite elsewhere/#\n")
    (tmp_path / "acl").chmod(0o600)
    text = f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {tmp_path / 'acl'}\n"
    with kit.run(tmp_path, port, text):
        said = folkmoot("doctor", "--port", port, "--json")
    assert said.code == 0, said.out
    assert "access list" in findings(said)["broker probe"]["says"]


def test_both_brokers_of_a_gateway_are_seen(folkmoot: Command, mosquitto: Broker, tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text(f'id = "gw1"\nfolder = "."\n[home]\nport = {mosquitto.port}\n[cloud]\nport = {mosquitto.port}\n')
    found = findings(folkmoot("doctor", "--config", file, "--json"))
    assert {"home probe", "cloud probe"} <= found.keys()


def test_settings_of_the_environment_do_without_a_file(
    folkmoot: Command, mosquitto: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLKMOOT_CLOUD_BROKER_PORT", str(mosquitto.port))
    said = folkmoot("doctor", "--tier", "cloud", "--json")
    assert findings(said)["broker probe"]["state"] == "ok"


def test_an_unknown_key_of_the_settings_is_one_sentence(folkmoot: Command, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('id = "gw1"\nabove = ""\n[hone]\nport = 1883\n[cloud]\nport = 1883\n')
    said = folkmoot("doctor", "--config", file)
    assert said.code == 2
    assert "unknown key hone" in said.sentence


def test_a_full_disk_and_a_clock_without_a_battery_are_wrong(tmp_path: Path) -> None:
    assert [machine.room(tmp_path, free).state for free in (1 << 20, 256 << 20, 1 << 30)] == ["wrong", "note", "ok"]
    assert [machine.clock(datetime(year, 1, 2, tzinfo=UTC)).state for year in (1970, 2030)] == ["wrong", "ok"]


def test_a_folder_that_will_be_made_is_looked_for_above(tmp_path: Path) -> None:
    (disk,) = (one for one in machine.examine(tmp_path / "not" / "there", trains=False) if one.name == "disk")
    assert disk.figures["folder"] == str(tmp_path)


def test_a_certificate_is_worth_a_note_two_weeks_before_it_ends() -> None:
    def state(days: float) -> str:
        now = datetime(2030, 1, 31, tzinfo=UTC) - timedelta(days=days)
        return examined.certificate("home", {"notAfter": "Jan 31 00:00:00 2030 GMT"}, now).state

    assert [state(90), state(15), state(13)] == ["ok", "ok", "note"]
