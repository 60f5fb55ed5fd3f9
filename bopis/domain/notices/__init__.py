"""Notices to customers about an order: sent at most once per channel, with the state of every delivery."""
