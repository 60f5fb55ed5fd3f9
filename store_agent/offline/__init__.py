"""The shop's copy of its orders, and work on it while the centre is away."""
