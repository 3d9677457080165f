"""`python -m folkmoot_device --config device.toml`: the agent, without the command line's memory."""

import sys

from folkmoot.serve import entry
from folkmoot_device.serve import serve
from folkmoot_device.settings import PREFIX, Settings

if __name__ == "__main__":
    sys.exit(entry.main("folkmoot_device", Settings, PREFIX, serve, sys.argv[1:]))
