"""Benchmark of the store agent."""
