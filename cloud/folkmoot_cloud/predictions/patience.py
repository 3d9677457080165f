"""Until when somebody is waited for: what rounds do about members that say nothing (folkmoot.hop.round)."""

# A home's round ends before the cloud's by a tenth of the time, within these limits (folkmoot_gateway.node), in seconds.
MARGIN_LEAST, MARGIN_MOST = 0.25, 5.0
# From the loss of a connection to counting its owner out, in seconds: 1.5 keepalives, of 60 s below a gateway and of 30 s below
# the cloud (folkmoot_gateway.serve, folkmoot_cloud.runner.engine).
DEVICE_GRACE, HOME_GRACE = 90.0, 45.0


def at_home(deadline: float) -> float:
    """Gives the seconds after which a home waits for nobody, in a round with this deadline."""
    return max(0.0, deadline - min(max(deadline / 10, MARGIN_LEAST), MARGIN_MOST))
