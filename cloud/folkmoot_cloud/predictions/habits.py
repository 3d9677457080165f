"""What members of rounds do, and how often: they work, say nothing, refuse, or give what cannot be taken."""

from collections.abc import Iterable, Sequence

import numpy as np

from folkmoot_cloud.predictions.measured import Fleet, homes_of
from folkmoot_cloud.predictions.samples import Floats
from folkmoot_cloud.rounds.fates import Fate

WORKS, SILENT, REFUSES, REJECTED = range(4)
# What became of somebody, as what it did. Who was late worked: how long, decides what it is in another round.
_DID = {"answered": WORKS, "late": WORKS, "silent": SILENT, "refused": REFUSES, "rejected": REJECTED}


def of_devices(fleet: Fleet, names: Sequence[str]) -> Floats:
    """Gives how often each of these devices did what, [names + 1, 4]; the last row is all together.

    Only of homes that have answered: of the others nobody knows what their devices did.
    """
    told = (one for past in fleet.rounds for home, below in homes_of(past.members) if home.fate == "answered" for one in below)
    return _count(((one.device, one) for one in told), names)


def of_homes(fleet: Fleet, names: Sequence[str]) -> Floats:
    """Gives how often each of these homes did what, [names + 1, 4]; the last row is all together."""
    return _count(((one.gateway, one) for past in fleet.rounds for one in past.members if not one.device), names)


def _count(told: Iterable[tuple[str, Fate]], names: Sequence[str]) -> Floats:
    place = {name: at for at, name in enumerate(names)}
    counts = np.zeros((len(names) + 1, 4))
    for name, one in told:
        did = _DID.get(one.fate)
        if did is not None:
            counts[-1, did] += 1
            if name in place:
                counts[place[name], did] += 1
    return counts
