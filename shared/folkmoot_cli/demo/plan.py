"""What the demo is to show, and what of it cannot be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from folkmoot import plugins, tasks
from folkmoot.errors import UserFault
from folkmoot.tasks import digits
from folkmoot.wire import bundle

# Fewer images than this, and a fifth of them held out, say nothing about a device.
LEAST = 10  # images of one device
Kind = Literal["auto", "mosquitto", "amqtt"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One demo."""

    gateways: int = 3
    devices: int = 12
    rounds: int = 10
    epochs: int = 5
    strategy: str = "fedavg"
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    task: str = "digits-mlp"
    broker: Kind = "auto"
    seed: int = 0
    transform: str | None = None

    def __post_init__(self) -> None:
        """Raises UserFault for what cannot be, before anything is started."""
        if self.devices < self.gateways:
            wanted = f"give --devices {self.gateways} or more"
            raise UserFault(f"{self.gateways} gateways need a device each, and there are {self.devices}: {wanted}")
        if self.devices * LEAST > digits.DEALT:
            wanted = f"give --devices {digits.DEALT // LEAST} or fewer"
            raise UserFault(f"{digits.DEALT:,} images are too few for {self.devices} devices: {wanted}")
        plugins.load("strategies", self.strategy, self.options)
        if self.transform is not None:
            plugins.load("transforms", self.transform)
        _, program = bundle.load(tasks.read(self.task))
        if program.manifest.contract.name != digits.CONTRACT:
            raise UserFault(f"the demo has digits to deal; task {self.task} learns from {program.manifest.contract.name}")

    @property
    def homes(self) -> dict[str, list[str]]:
        """The devices of each gateway: as many in each, or one more in the first ones."""
        names = [f"home-{number}" for number in range(1, self.gateways + 1)]
        least, more = divmod(self.devices, self.gateways)
        sizes = [least + (place < more) for place in range(self.gateways)]
        return {
            name: [f"{name}-device-{number}" for number in range(1, size + 1)] for name, size in zip(names, sizes, strict=True)
        }
