"""A copy of the log for reading: SQL tables, written in one transaction with the position of the log that is in
them."""
