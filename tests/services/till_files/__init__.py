"""Tests of the reader of till files."""
