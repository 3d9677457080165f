"""Every table. Each row has a tenant, first in its key; each time is a Moment; each sha256 is hexadecimal.

What devices sent and what the machines journal is bytes, what operators set is JSON. A migration follows every change here:
a test compares the two.
"""

from folkmoot_cloud.tables.access import StoredResponse, Token
from folkmoot_cloud.tables.base import Base, Tenant
from folkmoot_cloud.tables.fleet import Device, Gateway
from folkmoot_cloud.tables.learning import Evaluation, Member, Round, Run
from folkmoot_cloud.tables.running import Contribution, Event, JournalEntry, Kept, Lease, Replica, Retraction, Snapshot
from folkmoot_cloud.tables.versions import Blob, Model, Promotion, Task

__all__ = [
    "Base",
    "Blob",
    "Contribution",
    "Device",
    "Evaluation",
    "Event",
    "Gateway",
    "JournalEntry",
    "Kept",
    "Lease",
    "Member",
    "Model",
    "Promotion",
    "Replica",
    "Retraction",
    "Round",
    "Run",
    "Snapshot",
    "StoredResponse",
    "Task",
    "Tenant",
    "Token",
]
