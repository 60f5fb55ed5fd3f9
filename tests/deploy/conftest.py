"""Settings are read here as if nobody had any of their own."""

from tests.surroundings import clean as clean
