"""The properties and reason codes of MQTT 5 that a link uses, as paho has them."""

from functools import lru_cache

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from folkmoot.link.face import Last, Session

# Reason codes (section 2.4); paho gives those of 3.1.1 as their equivalents.
NOBODY_SUBSCRIBED = 0x10
KEEPALIVE = 0x8D  # the other end has not been heard for too long
LASTING = frozenset((0x85, 0x86, 0x87, 0x8A, 0x8C))  # client id, password, not authorised, banned, authentication method


def _properties(kind: int, **values: int) -> Properties:
    properties = Properties(kind)  # type: ignore[no-untyped-call]  # paho has types, but not here
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def connect(session: Session) -> Properties:
    """Gives the properties of CONNECT (3.1.2.11)."""
    return _properties(
        PacketTypes.CONNECT,
        SessionExpiryInterval=session.expiry_s if session.keep else 0,
        ReceiveMaximum=session.receive_maximum,
        MaximumPacketSize=session.max_packet,
    )


def will(last: Last) -> Properties:
    """Gives the properties of a will (3.1.3.2)."""
    return _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=last.delay_s)


@lru_cache(maxsize=64)
def publish(expiry_s: int) -> Properties:
    """Gives the properties of a PUBLISH that may wait for `expiry_s` seconds (3.3.2.3), which nobody may change.

    No topic alias, ever: after a restart of the broker it is unknown, and the client is thrown out again and again.
    """
    return _properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry_s)
