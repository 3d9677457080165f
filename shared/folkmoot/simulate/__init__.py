"""A whole federation on virtual time: the real programs of every tier, on brokers in memory and disks that can lose power.

Nothing in it happens that a seed does not decide. `folkmoot simulate --faults SEED` runs one; a law that breaks, breaks again.
"""
