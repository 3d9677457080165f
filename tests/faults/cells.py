"""Every cell of the fault matrix: what goes wrong, when, where, and in which kind of town."""

from dataclasses import dataclass

from tests.faults.stage import Kind

PHASES = ("idle", "downloading", "training", "uploading", "merging", "committing")
PROGRAMS = ("cloud", "gateway", "device")
BROKERS = ("broker-cloud", "broker-home")
LINKS = ("link-cloud", "link-up", "link-home", "link-down")  # of the cloud, of a gateway up and down, of a device

# Fault to where it is done, in towns with SQLite, Mosquitto and disks as large as they are.
USUAL = {
    "kill": (*PROGRAMS, *BROKERS),
    "outage": (*PROGRAMS, *BROKERS),
    "pause": (*PROGRAMS, *BROKERS),
    "half-open": LINKS,
    "cut": ("link-up", "link-down"),
    "reset": ("link-up", "link-down"),
    "slow": ("link-up", "link-down"),
    "corrupt": ("link-up", "link-down"),
    "database": ("cloud",),
}
# What another kind of town is for.
OTHER: dict[Kind, dict[str, tuple[str, ...]]] = {
    "disks": {"disk-full": PROGRAMS},
    "postgres": {"kill": ("cloud",), "outage": ("cloud",), "database": ("cloud",)},
    "amqtt": {"kill": (*PROGRAMS, *BROKERS)},
}


@dataclass(frozen=True, order=True)
class Cell:
    """One thing to try."""

    kind: Kind
    fault: str
    phase: str
    node: str

    @property
    def name(self) -> str:
        """How it is called on the command line and in the results."""
        return f"{self.fault}.{self.phase}.{self.node}" + ("" if self.kind == "sqlite" else f".{self.kind}")


def all_cells() -> list[Cell]:
    """Gives all of them, those of one kind of town together."""
    table: dict[Kind, dict[str, tuple[str, ...]]] = {"sqlite": USUAL, **OTHER}
    return [
        Cell(kind, fault, phase, node)
        for kind, faults in table.items()
        for fault, nodes in faults.items()
        for node in nodes
        for phase in PHASES
    ]


# What `make test-slow` tries of them: every fault, every phase, every node, every kind of town, none that takes a minute.
CHOSEN = (
    "kill.idle.gateway",
    "kill.downloading.device",
    "kill.training.cloud",
    "kill.training.device",
    "kill.uploading.gateway",
    "kill.merging.cloud",
    "kill.merging.gateway",
    "kill.committing.cloud",
    "kill.committing.gateway",
    "kill.uploading.broker-cloud",
    "kill.training.broker-home",
    "outage.merging.broker-home",
    "outage.uploading.cloud",
    "half-open.training.link-home",
    "half-open.uploading.link-cloud",
    "cut.downloading.link-up",
    "reset.uploading.link-down",
    "slow.downloading.link-down",
    "corrupt.uploading.link-up",
    "disk-full.training.device.disks",
    "disk-full.merging.gateway.disks",
    "database.committing.cloud.postgres",
    "database.idle.cloud",
    "kill.training.gateway.amqtt",
)
