"""Benchmarks, on sizes so small that they measure nothing and still show that each figure is what it says."""
