"""Secrets: customers' data, pickup codes, and the keys that make them readable."""
