"""`python -m folkmoot_device --config device.toml`: the agent, without the command line's memory."""

import sys

if __name__ == "__main__":
    # The command line brings it, and msgspec takes it where it is there, for 0.3 MiB and nothing that Python has not itself.
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]

    from folkmoot.serve import entry
    from folkmoot_device.serve import serve
    from folkmoot_device.settings import PREFIX, Settings

    sys.exit(entry.main("folkmoot_device", Settings, PREFIX, serve, sys.argv[1:]))
