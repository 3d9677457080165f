"""Which version of MQTT to speak with a broker: 5 first, 3.1.1 where it knows no 5, and 5 again some time later."""

from paho.mqtt.enums import MQTTProtocolVersion

V5 = MQTTProtocolVersion.MQTTv5
V311 = MQTTProtocolVersion.MQTTv311
WORDS = {V5: "5", V311: "3.1.1"}
# Reason codes of CONNACK: malformed, protocol error, unsupported version.
REFUSALS = frozenset((0x81, 0x82, 0x84))
# Until CONNACK, where we do not know that the broker speaks MQTT 5. amqtt takes the properties of CONNECT for a client id of
# 4 kB and waits for the rest of it.
PATIENCE = 4.0  # seconds
# After that 5 is tried again: brokers are brought up to date, and one that was going down looked like an old one.
HOLDS = 3_600.0  # seconds


class Dialect:
    """What is known about one broker."""

    def __init__(self) -> None:
        self._spoken = False  # it has taken us in MQTT 5
        self._old_until = 0.0  # seconds of the monotonic clock

    def pick(self, now: float) -> MQTTProtocolVersion:
        """Gives the version to begin with."""
        return V311 if now < self._old_until else V5

    def patience(self, version: MQTTProtocolVersion, most: float) -> float:
        """Gives the seconds to wait for CONNACK, at most `most`."""
        return min(PATIENCE, most) if version == V5 and not self._spoken else most

    def taken(self, version: MQTTProtocolVersion) -> None:
        """Notes that the broker has taken us."""
        self._spoken = self._spoken or version == V5

    def turned(self, version: MQTTProtocolVersion, now: float, code: int, silent: bool) -> bool:
        """Notes that the broker has not taken us, with reason `code` or, `silent`, without any; says whether to try another
        version at once."""
        if version == V311:
            self._old_until = 0.0
            return False
        if silent and self._spoken:
            self._spoken = False  # once may be a broker that is going down; the second time it is another broker
            return False
        if silent or code in REFUSALS:
            self._old_until = now + HOLDS
            return True
        return False
