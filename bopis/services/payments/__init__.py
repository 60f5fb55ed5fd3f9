"""Payments from outside their processor: the book, the desk, explanations, callbacks, and the comparison of ledgers."""
