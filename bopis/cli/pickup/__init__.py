"""pickup."""
