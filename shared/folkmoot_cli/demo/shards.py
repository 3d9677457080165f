"""Deals the digits: each device gets images of its own, and nobody but the device ever reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from folkmoot.errors import UserFault
from folkmoot.partition import homes as deal
from folkmoot.store.examples import Examples
from folkmoot.tasks import digits

Counts = NDArray[np.int64]


def store(homes: Mapping[str, Sequence[str]], places: Mapping[str, Path], seed: int) -> dict[str, Counts]:
    """Writes each device's shard into its example store, `places[device]`; gives each home's images by digit, (10,).

    Every home but the first is poor in a third of the digits. Raises UserFault where a device would get nothing.
    """
    dealt, _ = digits.load()
    shards = deal(dealt.y, [len(devices) for devices in homes.values()], np.random.default_rng(seed))
    counts: dict[str, Counts] = {}
    for (home, devices), parts in zip(homes.items(), shards, strict=True):
        counts[home] = np.bincount(dealt.y[np.concatenate(parts)], minlength=10)
        for device, part in zip(devices, parts, strict=True):
            if not len(part):
                raise UserFault(f"no image is left for {device}: give fewer --devices or --gateways")
            examples = Examples(places[device], digits.CONTRACT)
            x, y = dealt.x[part].astype("<f4"), dealt.y[part].astype("<i4")
            examples.add(((image.tobytes(), label.tobytes()) for image, label in zip(x, y, strict=True)), now=0)
            examples.close()
    return counts
