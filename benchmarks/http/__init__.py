"""The benchmark of HTTP, and its client."""
