"""The databases of the read side's suite."""

from tests.readside.conftest import databases, postgresql, postgresql_home, sqlite

__all__ = ["databases", "postgresql", "postgresql_home", "sqlite"]
