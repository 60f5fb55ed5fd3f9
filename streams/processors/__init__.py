"""The processors: the wiring between the log and the pure core."""
