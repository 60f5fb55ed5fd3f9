"""Alembic migrations of the read side."""
