"""The topics of the product: which there are, how each must be, and whether it is so."""
