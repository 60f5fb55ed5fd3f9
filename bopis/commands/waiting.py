"""Waiting until the read side shows what was just said."""
