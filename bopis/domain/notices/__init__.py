"""Notices: what a customer is told about an order, once per channel, and what became of it."""
