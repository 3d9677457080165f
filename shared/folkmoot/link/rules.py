"""What MQTT itself says that a link must know, as functions."""

LARGEST = 268_435_455  # bytes behind the fixed header (MQTT 5, 1.5.5)


def publish_size(topic: str, payload: bytes, *, qos: int, expires: bool, v5: bool) -> int:
    """Gives the bytes of a PUBLISH packet (MQTT 5, 3.3). `expires`: it carries a message expiry, which is all that we add."""
    properties = (6 if expires else 1) if v5 else 0
    rest = 2 + len(topic.encode()) + (2 if qos else 0) + properties + len(payload)
    return 1 + -(-rest.bit_length() // 7) + rest


def matches(pattern: str, topic: str) -> bool:
    """Whether a subscription to `pattern` gets a message on `topic` (MQTT 5, 4.7)."""
    wanted, found = pattern.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place == len(found) or level not in ("+", found[place]):
            return False
    return len(wanted) == len(found)
