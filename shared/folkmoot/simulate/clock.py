"""A machine's wall clock as its owner has left it: right, at 1970, in next year, or set while the machine runs."""

from typing import Literal

from folkmoot.clock import EARLIEST

Setting = Literal["right", "1970", "next year"]
YEAR = 365 * 86_400_000  # ms


def wall(setting: Setting, now: int) -> int:
    """Gives what the clock shows at `now` ms of the world's time, in ms since 1970."""
    return {"right": EARLIEST + now, "1970": now, "next year": EARLIEST + YEAR + now}[setting]
