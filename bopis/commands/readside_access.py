"""The way from a command to the read side."""
