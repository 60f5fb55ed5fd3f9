"""The running installation of the command line's suite."""

from tests.cli.conftest import clean

__all__ = ["clean"]
