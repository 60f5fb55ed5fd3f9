"""Replay of till exports: lines of a file become baskets, and baskets become messages as a till would send them."""
