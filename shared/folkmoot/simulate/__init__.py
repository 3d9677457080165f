"""A whole federation on virtual time: the real programs of every tier, on brokers in memory and on disks in memory.

Nothing in it happens that a seed does not decide. `scenario` plays a fleet that really trains, `result` is what that leaves
behind; in `faults` everything goes wrong that can, and laws must hold. What stands here is of both.
"""
