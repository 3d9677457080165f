"""The brokers' files beside compose.yaml are what our own generator writes for them."""

from pathlib import Path

import pytest

from folkmoot.link import mosquitto
from tests.architecture.conftest import ROOT

KEPT = Path("/mosquitto/data")  # of the image eclipse-mosquitto
GUARD = mosquitto.Guard(acl=Path("/mosquitto/config/mosquitto.acl"), passwords=Path("/run/secrets/mqtt-passwords"))

FILES = {
    # The home's broker shares its network with the gateway and the simulated devices: nobody else is there.
    "gateway/mosquitto.conf": mosquitto.configuration("home", (mosquitto.Listener(1883),), KEPT),
    "cloud/mosquitto.conf": mosquitto.configuration("cloud", (mosquitto.Listener(1883, "0.0.0.0"),), KEPT, GUARD),
    "cloud/mosquitto.acl": mosquitto.acl("cloud", "folkmoot-cloud"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_brokers_file_is_what_the_generator_writes(name: str) -> None:
    assert (ROOT / name).read_text() == FILES[name], f"write it anew: {__name__}.FILES[{name!r}]"
