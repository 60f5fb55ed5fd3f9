"""One module per format: each gives the records of a file, in order, with their fields by name."""
