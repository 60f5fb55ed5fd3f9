"""Settings by the part of the product that they are about."""
