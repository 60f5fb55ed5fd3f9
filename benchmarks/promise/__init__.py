"""Promises of stores that were cut off, by kind of protection."""
