"""Choosing the store or the stores that will serve an order, as a decision that explains and repeats itself."""
