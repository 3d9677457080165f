"""Runs amqtt, the broker from PyPI, on a port of the loopback address: `python -m folkmoot.link.amqtt_broker PORT`."""

import asyncio
import logging
import signal
import sys
from typing import Any

from amqtt.broker import Broker

# A demo's and a fleet's connections fit many times; a leak of them is stopped before it is a leak of memory.
MAX_CONNECTIONS = 1_000
# MQTT gives a client one and a half keepalives; amqtt adds these seconds to one, and by default none at all.
GRACE = 30
SESSION_EXPIRY = 86_400  # seconds


def configuration(port: int) -> dict[str, Any]:
    """Gives amqtt's configuration for an open broker on a port of the loopback address."""
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": MAX_CONNECTIONS}},
        "timeout_disconnect_delay": GRACE,
        "session_expiry_interval": SESSION_EXPIRY,
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


async def serve(port: int) -> None:
    """Serves until SIGTERM or SIGINT."""
    broker = Broker(configuration(port))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await broker.start()
    await stop.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(serve(int(sys.argv[1])))
