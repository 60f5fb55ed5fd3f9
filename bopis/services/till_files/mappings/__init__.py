"""The shipped mappings."""
