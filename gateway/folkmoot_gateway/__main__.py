"""`python -m folkmoot_gateway --config gateway.toml`."""

import sys

from folkmoot.serve import entry
from folkmoot_gateway.serve import serve
from folkmoot_gateway.settings import PREFIX, Settings

if __name__ == "__main__":
    sys.exit(entry.main("folkmoot_gateway", Settings, PREFIX, serve, sys.argv[1:]))
