"""Each claim in the docs as a command: python -m benchmarks.NAME."""
