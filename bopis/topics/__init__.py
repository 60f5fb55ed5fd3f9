"""The topics of the product: their definitions, plans for an installation, and access rules."""
