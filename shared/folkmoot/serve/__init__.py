"""What two or more deployables need around the hop: the driver, the outlet, the numeric side of rounds, the training child."""
