"""Programs run here as if nobody had settings or files of their own."""

from tests.surroundings import clean as clean
