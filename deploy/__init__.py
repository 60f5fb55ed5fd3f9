"""What it takes to run bopis beside its own process: servers for a desk, for tests and for production."""
