"""A copy of the log made for reading: SQL tables that are written together with the position they stand for."""
